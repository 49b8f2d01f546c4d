import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { CommandFailure } from './failure.ts';
import type { Session } from './session.ts';
import { printNote, type Terminal } from './terminal.ts';
import { figureNames, type UsageRow, usagePages } from './usage-pages.ts';

export interface ExportOptions {
  tenant: string;
  from: string;
  to: string;
  format: 'csv' | 'ndjson';
  output?: string;
}

interface Sink {
  /** Settles when there is room for more. */
  write(text: string): Promise<unknown>;
  close(): Promise<void>;
}

const columns = ['date', 'key', 'model', ...figureNames] as const;

/** Page by page: neither the gateway nor this process ever holds all of it. */
export async function exportUsage({ admin, terminal }: Session, options: ExportOptions): Promise<void> {
  const { tenant, from, to, format, output } = options;
  const pages = usagePages(admin(), { tenant, from, to }, 'day,key,model');
  const progress = progressOn(terminal, output !== undefined);
  // Asked for first, so that a range that cannot be had leaves an older file alone.
  let page = await pages.next();
  const sink = output === undefined ? standardOutput(terminal) : await fileSink(output);
  let rows = 0;
  try {
    if (format === 'csv') await sink.write(`${columns.join(',')}\n`);
    for (; !page.done; page = await pages.next()) {
      await sink.write(page.value.map((row) => lineOf(row, format)).join(''));
      rows += page.value.length;
      progress.show(rows, page.value.at(-1)?.date);
    }
  } catch (error) {
    progress.end();
    throw incomplete(error, rows);
  } finally {
    await sink.close();
  }
  progress.end();
  if (output !== undefined) printNote(terminal, `${rows.toLocaleString('en')} rows are in ${output}.`);
}

function lineOf(row: UsageRow, format: ExportOptions['format']): string {
  if (format === 'ndjson') return `${JSON.stringify(row)}\n`;
  return `${columns.map((name) => csvField(String(row[name] ?? ''))).join(',')}\n`;
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

/** A line that is written over and over, where a person sees it and the rows do not run through it. */
function progressOn({ stdout, stderr }: Terminal, isToFile: boolean) {
  const isShown = stderr.isTTY && (isToFile || !stdout.isTTY);
  return {
    show(rows: number, date: string | undefined): void {
      if (isShown) stderr.write(`\r\x1b[K${rows.toLocaleString('en')} rows${date ? `, up to ${date}` : ''}`);
    },
    end(): void {
      if (isShown) stderr.write('\r\x1b[K');
    },
  };
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
