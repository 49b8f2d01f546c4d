/** Reads the rows of an import out of what was sent. A row that cannot be read is reported, not fatal. */
import type { ImportRow } from '../admission/keys/key-store.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import { readCsv } from './csv.ts';

/** `line` is counted from 1; for rows in a JSON body it is their place in the list. */
export type ReadRow = { readonly line: number } & (
  | { readonly row: ImportRow; readonly fault?: undefined }
  | { readonly fault: string }
);

/** Long lines are not parsed, because one of many megabytes would hold up the whole process. */
const LINE_LENGTH_MAX = 65_536;

export function* ndjsonRows(text: string): Generator<ReadRow> {
  let line = 0;
  for (let begin = 0; begin < text.length; ) {
    const newline = text.indexOf('\n', begin);
    const end = newline === -1 ? text.length : newline;
    line += 1;
    const read = ndjsonRow(text.slice(begin, end));
    if (read !== undefined) yield { line, ...read };
    begin = end + 1;
  }
}

function ndjsonRow(text: string): { row: ImportRow } | { fault: string } | undefined {
  if (text.length > LINE_LENGTH_MAX) return { fault: `is longer than ${LINE_LENGTH_MAX} characters` };
  if (text.trim() === '') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isRow(value) ? { row: value } : { fault: 'is not a JSON object' };
  } catch {
    return { fault: 'is not valid JSON' };
  }
}

function isRow(value: unknown): value is ImportRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const columns = new Set([
  ...['key', 'tenant', 'name', 'models', 'rate_limit', 'total_quota', 'used_quota'],
  ...['created_at', 'expires_at', 'is_active', 'policy', 'allowed_addresses', 'scopes', 'note', 'tags'],
]);

/** The first record names the columns; a fault in it concerns every row and refuses the whole. */
export function csvRows(text: string): Iterable<ReadRow> | Refusal {
  const records = readCsv(text);
  const header = records.next().value;
  if (header === undefined)
    return refusal('invalid_parameter', 'The CSV is empty; its first line names the columns.');
  if (header.fault !== undefined)
    return refusal('invalid_parameter', `The header of the CSV: ${header.fault}.`);
  const names = header.fields.map((name) => name.trim());
  const problem = headerProblem(names);
  if (problem !== undefined) return refusal('invalid_parameter', `The header of the CSV ${problem}.`);
  return withColumns(names, records);
}

function headerProblem(names: readonly string[]): string | undefined {
  const unknown = names.find((name) => !columns.has(name));
  if (unknown !== undefined) {
    return `has an unknown column (number ${names.indexOf(unknown) + 1}); known are ${[...columns].join(', ')}`;
  }
  if (new Set(names).size < names.length) return 'names a column twice';
  return names.includes('key') && names.includes('tenant') ? undefined : 'lacks key or tenant';
}

function* withColumns(names: readonly string[], records: ReturnType<typeof readCsv>): Generator<ReadRow> {
  for (const record of records) {
    const { line } = record;
    if (record.fault !== undefined) yield { line, fault: record.fault };
    else if (record.fields.length !== names.length) {
      yield { line, fault: `has ${record.fields.length} fields where the header has ${names.length}` };
    } else yield { line, row: csvRow(names, record.fields) };
  }
}

function csvRow(names: readonly string[], fields: readonly string[]): ImportRow {
  return Object.fromEntries(names.map((name, index) => [name, fields[index]]));
}
