/** Writes a list page by page, so that neither the gateway nor this process ever holds all of it. */
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { CommandFailure } from './failure.ts';
import { noProgress, progressOn } from './progress.ts';
import { printNote, type Terminal } from './terminal.ts';

export type ExportFormat = 'csv' | 'ndjson';

interface Export<Row> {
  readonly format: ExportFormat;
  /** A path; undefined: standard output. */
  readonly output: string | undefined;
  /** Of the CSV. */
  readonly columns: readonly string[];
  cell(row: Row, column: string): string;
  /** How much of all of it is done with this row, from 0 to 1; undefined: nobody knows. */
  share(row: Row): number | undefined;
}

interface Sink {
  /** Settles when there is room for more. */
  write(text: string): Promise<unknown>;
  close(): Promise<void>;
}

export async function exportPages<Row>(
  terminal: Terminal,
  pages: AsyncIterator<readonly Row[], void>,
  wanted: Export<Row>,
): Promise<void> {
  const { format, output, columns } = wanted;
  // Rows that a person sees run by say by themselves how far it is.
  const isSilent = output === undefined && terminal.stdout.isTTY;
  const progress = isSilent ? noProgress : progressOn(terminal.stderr);
  // Asked for first, so that what cannot be had leaves an older file alone.
  let page = await pages.next();
  const sink = output === undefined ? standardOutput(terminal) : await fileSink(output);
  let rows = 0;
  try {
    if (format === 'csv') await sink.write(`${columns.join(',')}\n`);
    for (; !page.done; page = await pages.next()) {
      await sink.write(page.value.map((row) => lineOf(row, wanted)).join(''));
      rows += page.value.length;
      const last = page.value.at(-1);
      progress.show(last && wanted.share(last), `${rows.toLocaleString('en')} rows`);
    }
  } catch (error) {
    throw incomplete(error, rows);
  } finally {
    progress.end();
    await sink.close();
  }
  if (output !== undefined) printNote(terminal, `${rows.toLocaleString('en')} rows are in ${output}.`);
}

function lineOf<Row>(row: Row, { format, columns, cell }: Export<Row>): string {
  if (format === 'ndjson') return `${JSON.stringify(row)}\n`;
  return `${columns.map((column) => csvField(cell(row, column))).join(',')}\n`;
}

/** RFC 4180. */
function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function standardOutput({ stdout }: Terminal): Sink {
  return {
    write: async (text) => stdout.write(text) || once(stdout, 'drain'),
    close: () => Promise.resolve(),
  };
}

async function fileSink(path: string): Promise<Sink> {
  try {
    const file = await open(path, 'w');
    return { write: (text) => file.writeFile(text), close: () => file.close() };
  } catch (error) {
    throw new CommandFailure(`cannot write ${path} (${codeOf(error)}). Is it a file that you may write?`);
  }
}

function incomplete(error: unknown, rows: number): unknown {
  const ending = `The export is incomplete: it ends after ${rows} rows.`;
  if (error instanceof CommandFailure) return new CommandFailure(`${error.message} ${ending}`);
  const code = codeOf(error);
  return code === undefined ? error : new CommandFailure(`cannot write (${code}). ${ending}`);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
