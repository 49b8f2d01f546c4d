/** A record, or why it is none. `line` is where it begins, counted from 1. */
type CsvRecord = { readonly line: number } & (
  | { readonly fields: readonly string[]; readonly fault?: undefined }
  | { readonly fault: string }
);

/**
 * RFC 4180, strictly: quotes open at the start of a field and close at its end; lines end with LF or CRLF. A
 * record that breaks this is reported, and reading goes on after its line. Empty lines are skipped.
 */
export function* readCsv(text: string): Generator<CsvRecord, void> {
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const { fields, fault, end } = readRecord(text, at);
    if (fault !== undefined) yield { line, fault };
    else if (fields.length > 1 || fields[0] !== '') yield { line, fields };
    for (at = lineEnd(text, at), line += 1; at < end; at = lineEnd(text, at)) line += 1;
  }
}

function readRecord(text: string, begin: number) {
  const fields: string[] = [];
  for (let at = begin; ; at += 1) {
    const field = text[at] === '"' ? readQuoted(text, at + 1) : readBare(text, at);
    if (field === undefined) return { fields, fault: 'a quote is never closed', end: lineEnd(text, at) };
    fields.push(field.value);
    at = field.end;
    if (text[at] === ',') continue;
    const ended = at === text.length || text[at] === '\n' || text.startsWith('\r\n', at);
    const fault = ended ? undefined : 'a quote or a carriage return stands in the wrong place';
    return { fields, fault, end: lineEnd(text, at) };
  }
}

function readBare(text: string, begin: number) {
  const stop = /[",\r\n]/g;
  stop.lastIndex = begin;
  const end = stop.exec(text)?.index ?? text.length;
  return { value: text.slice(begin, end), end };
}

/** Undefined where the quote is never closed; after one such, no later one can be, so this stays linear. */
function readQuoted(text: string, begin: number) {
  let quote = text.indexOf('"', begin);
  while (quote !== -1 && text[quote + 1] === '"') quote = text.indexOf('"', quote + 2);
  if (quote === -1) return undefined;
  return { value: text.slice(begin, quote).replaceAll('""', '"'), end: quote + 1 };
}

function lineEnd(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline === -1 ? text.length : newline + 1;
}
