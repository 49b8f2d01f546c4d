import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { CommandFailure } from './failure.ts';
import { progressOn } from './progress.ts';
import { type Batch, type RowFormat, readBatches } from './records.ts';
import type { Session } from './session.ts';
import { printJson, printLine, printNote, type Terminal } from './terminal.ts';

/** A batch is one request, which must end well within the client's time-out. */
const BATCH = { rowsMax: 1_000, lengthMax: 4_000_000 };

interface ImportOptions {
  prefix?: string;
  length?: string;
  format?: RowFormat;
  json?: boolean;
}

interface Failure {
  readonly line: number;
  readonly reason: string;
}

interface Answer {
  readonly total: number;
  readonly created: number;
  readonly unchanged: number;
  readonly failed: number;
  readonly failures: readonly Failure[];
}

interface Tally {
  total: number;
  created: number;
  unchanged: number;
  failed: number;
  readonly failures: Failure[];
}

export function keyImportCommand(keys: Command, session: Session): void {
  keys
    .command('import <file>')
    .description('take over keys of your own making from NDJSON or CSV; - reads standard input')
    .addOption(new Option('--prefix <prefix>', 'what all these keys begin with').conflicts('length'))
    .addOption(new Option('--length <characters>', 'how long all these keys are'))
    .addOption(
      new Option('--format <format>', 'default: by the ending of the file').choices(['ndjson', 'csv']),
    )
    .option('--json', 'print JSON')
    .action((file: string, options: ImportOptions, command: Command) => {
      return importKeys(session, file, options, command);
    });
}

async function importKeys(session: Session, file: string, options: ImportOptions, command: Command) {
  const form = formQuery(options);
  if (form === undefined)
    return command.error('error: give --prefix or --length: what all the keys have in common');
  const format = options.format ?? formatOf(file);
  if (format === undefined) return command.error('error: give --format ndjson or --format csv');

  const { terminal } = session;
  const source = await openSource(file, terminal);
  const admin = session.admin();
  const progress = progressOn(terminal.stderr);
  const type = format === 'csv' ? 'text/csv' : 'application/x-ndjson';
  const tally: Tally = { total: 0, created: 0, unchanged: 0, failed: 0, failures: [] };
  let sentTo = 0;
  try {
    for await (const batch of readBatches(source.chunks, format, BATCH)) {
      const text = { body: batch.text, type };
      add(tally, await admin.call<Answer>('POST', `/keys/import?${form}`, { text }), batch);
      sentTo = batch.lastLine;
      progress.show(source.share(), `${tally.total.toLocaleString('en')} rows`);
    }
  } catch (error) {
    throw withProgress(error, sentTo);
  } finally {
    progress.end();
  }
  report(terminal, tally, options);
}

function formQuery({ prefix, length }: ImportOptions): URLSearchParams | undefined {
  if (prefix !== undefined) return new URLSearchParams({ prefix });
  return length === undefined ? undefined : new URLSearchParams({ length });
}

function formatOf(file: string): RowFormat | undefined {
  if (/\.csv$/i.test(file)) return 'csv';
  return /\.(ndjson|jsonl)$/i.test(file) ? 'ndjson' : undefined;
}

async function openSource(file: string, { stdin }: Terminal) {
  const sizeBytes = file === '-' ? undefined : await sizeOf(file);
  let readBytes = 0;

  async function* chunks(): AsyncGenerator<string, void> {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    try {
      for await (const chunk of file === '-' ? stdin : createReadStream(file)) {
        readBytes += chunk.length;
        yield decoder.decode(chunk, { stream: true });
      }
      yield decoder.decode();
    } catch (error) {
      throw unreadable(file, error);
    }
  }

  return {
    chunks: chunks(),
    /** Of the file, what is read; undefined: standard input, of which nobody knows the length. */
    share: () => (sizeBytes ? readBytes / sizeBytes : undefined),
  };
}

async function sizeOf(file: string): Promise<number> {
  try {
    const { size } = await stat(file);
    return size;
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): CommandFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
    return new CommandFailure(`${file} is not text in UTF-8. Convert it first.`);
  }
  return new CommandFailure(`cannot read ${file} (${code}). Is it a file that you may read?`);
}

function add(tally: Tally, answer: Answer, { lineOffset }: Batch): void {
  tally.total += answer.total;
  tally.created += answer.created;
  tally.unchanged += answer.unchanged;
  tally.failed += answer.failed;
  for (const { line, reason } of answer.failures) tally.failures.push({ line: line + lineOffset, reason });
}

function withProgress(error: unknown, sentTo: number): unknown {
  if (!(error instanceof CommandFailure) || sentTo === 0) return error;
  return new CommandFailure(
    `${error.message} The rows up to line ${sentTo} are in; the import can be repeated.`,
  );
}

function report(terminal: Terminal, tally: Tally, { json }: ImportOptions): void {
  const { total, created, unchanged, failed, failures } = tally;
  if (total === 0) throw new CommandFailure('there are no rows to import.');
  if (json) printJson(terminal, { total, created, unchanged, failed, failures });
  else {
    printLine(terminal, `${total} rows: ${created} created, ${unchanged} there already, ${failed} failed.`);
    for (const { line, reason } of failures) printNote(terminal, `line ${line}: ${reason}`);
  }
  if (failed > 0) throw new CommandFailure(`${failed} rows were not imported. Mend them and import again.`);
}
