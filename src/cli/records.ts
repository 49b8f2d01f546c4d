/** Cuts a file of keys into batches without holding all of it. What a row means is the admin API's business. */
import { CommandFailure } from './failure.ts';

export type RowFormat = 'ndjson' | 'csv';

export interface Batch {
  /** For CSV with the header in front. */
  readonly text: string;
  /** Adding it to a line number of `text` gives that of the file. */
  readonly lineOffset: number;
  /** Where the batch ends in the file. */
  readonly lastLine: number;
}

interface Limits {
  readonly rowsMax: number;
  readonly lengthMax: number;
}

interface SourceRecord {
  readonly text: string;
  readonly lines: number;
}

/** A record longer than this is not waited for: its quote was probably never closed. */
const RECORD_LENGTH_MAX = 1_000_000;

export async function* readBatches(
  chunks: AsyncIterable<string>,
  format: RowFormat,
  limits: Limits,
): AsyncGenerator<Batch, void> {
  let header: SourceRecord | undefined;
  let text = '';
  let rows = 0;
  let lastLine = 0;
  let firstLine = 1;
  const batch = (): Batch => {
    const lineOffset = firstLine - 1 - (header?.lines ?? 0);
    return { text: (header?.text ?? '') + text, lineOffset, lastLine };
  };

  for await (const record of readRecords(chunks, format)) {
    lastLine += record.lines;
    if (format === 'csv' && header === undefined) {
      header = record;
      firstLine = lastLine + 1;
      continue;
    }
    text += record.text;
    rows += 1;
    if (rows < limits.rowsMax && text.length < limits.lengthMax) continue;
    yield batch();
    [text, rows, firstLine] = ['', 0, lastLine + 1];
  }
  if (rows > 0) yield batch();
}

/** Lines, except that a line break inside the quotes of a CSV does not end its record. */
async function* readRecords(
  chunks: AsyncIterable<string>,
  format: RowFormat,
): AsyncGenerator<SourceRecord, void> {
  let text = '';
  let lines = 0;
  let quoteOpen = false;
  for await (const line of readLines(chunks)) {
    text += line;
    lines += 1;
    quoteOpen = format === 'csv' && leavesQuoteOpen(line, quoteOpen);
    if (quoteOpen && text.length < RECORD_LENGTH_MAX) continue;
    yield { text, lines };
    [text, lines, quoteOpen] = ['', 0, false];
  }
  if (lines > 0) yield { text, lines };
}

/** Each with its line feed; the last one gets one if it has none. */
async function* readLines(chunks: AsyncIterable<string>): AsyncGenerator<string, void> {
  let rest = '';
  for await (const chunk of chunks) {
    const text = rest + chunk;
    let begin = 0;
    for (let newline = text.indexOf('\n'); newline !== -1; newline = text.indexOf('\n', begin)) {
      yield text.slice(begin, newline + 1);
      begin = newline + 1;
    }
    rest = text.slice(begin);
    if (rest.length > RECORD_LENGTH_MAX) {
      throw new CommandFailure('a line is longer than a million characters. Is this NDJSON or CSV?');
    }
  }
  if (rest !== '') yield `${rest}\n`;
}

/** By the same rule as the admin API's reader, which gives up a line at a quote in the wrong place. */
function leavesQuoteOpen(line: string, openBefore: boolean): boolean {
  const fieldEnd = /[",\r\n]/g;
  let quoted = openBefore;
  for (let at = 0; ; at += 1) {
    if (!quoted && line[at] === '"') {
      quoted = true;
      at += 1;
    }
    if (quoted) {
      at = closingQuote(line, at);
      if (at === -1) return true;
      at += 1;
      quoted = false;
    } else {
      fieldEnd.lastIndex = at;
      at = fieldEnd.exec(line)?.index ?? line.length;
    }
    if (line[at] !== ',') return false;
  }
}

function closingQuote(line: string, from: number): number {
  let quote = line.indexOf('"', from);
  while (quote !== -1 && line[quote + 1] === '"') quote = line.indexOf('"', quote + 2);
  return quote;
}
