/** `backup`: a copy of all that Sluice keeps in Redis, in a file, while everything goes on. */
import { rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Progress, progressOn } from '../cli/progress.ts';
import { type Entry, encodeEntry } from '../redis/backup/entry.ts';
import { kindOf, PASSES, type Pass } from '../redis/backup/plan.ts';
import { readPass, type Source, sizeOf } from '../redis/backup/source.ts';
import { unfinishedName, writeSealed } from './backup/file.ts';
import { isFolder, keepNewest, nameAt } from './backup/kept.ts';
import {
  type Counts,
  causeOf,
  connectServers,
  type Ending,
  headingOf,
  Refused,
  readConfig,
  type Servers,
} from './backup/terms.ts';

const usage = `usage: backup FILE              a copy of all that Sluice keeps in Redis
       backup [--keep N] FOLDER  the same under a name of its own, of which the newest N are kept
The configuration is that of a gateway: SLUICE_CONFIG, SLUICE_SECRET, REDIS_URL, QUEUE_REDIS_URL.
`;

/** Ends with exit code 0, 1 (there is no backup by this) or 2 (it was called wrongly). */
export async function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  try {
    await backUp(argv, env);
  } catch (error) {
    if (!(error instanceof Refused)) process.stderr.write(`sluice: no backup was made: ${causeOf(error)}\n`);
    else process.stderr.write(`sluice: ${error.message}\n${error.exitCode === 2 ? usage : ''}`);
    process.exitCode = error instanceof Refused ? error.exitCode : 1;
  }
}

async function backUp(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const given = readArguments(argv);
  const now = new Date();
  const config = readConfig(env);
  const folder = (await isFolder(given.path)) ? given.path : undefined;
  if (given.keep !== undefined && folder === undefined)
    throw new Refused('--keep wants a folder that there is.', 2);
  const file = folder === undefined ? given.path : join(folder, nameAt(now, config.redis.prefix));
  if (await stat(file).catch(() => undefined))
    throw new Refused(`${file} is there already. Give another name.`);
  endCleanly(file);

  const servers = await connectServers(config);
  const progress = progressOn(process.stderr);
  const counts: Counts = {};
  try {
    const bytes = await writeSealed(
      file,
      linesFrom(servers, JSON.stringify(headingOf(config, now)), counts, progress),
    );
    process.stdout.write(`${file}: ${summaryOf(counts)}, ${(bytes / 1e6).toFixed(1)} MB\n`);
  } finally {
    progress.end();
    servers.close();
  }
  if (folder === undefined || given.keep === undefined) return;
  for (const name of await keepNewest(folder, config.redis.prefix, given.keep)) {
    process.stdout.write(`${join(folder, name)}: removed\n`);
  }
}

function readArguments(argv: readonly string[]): {
  readonly path: string;
  readonly keep: number | undefined;
} {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: { keep: { type: 'string' } },
      allowPositionals: true,
    });
    const [path, ...more] = positionals;
    if (path === undefined || path === '' || more.length > 0) throw new Error('name one file or folder.');
    const keep = values.keep === undefined ? undefined : Number(values.keep);
    if (keep !== undefined && !(Number.isSafeInteger(keep) && keep >= 1))
      throw new Error('--keep wants a number from 1 on.');
    return { path, keep };
  } catch (error) {
    throw new Refused(causeOf(error), 2);
  }
}

/** A signal leaves nothing that looks like a backup. */
function endCleanly(file: string): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      rmSync(unfinishedName(file), { force: true });
      process.exit(1);
    });
  }
}

/** The limits first: then every job that waits in the copy has its ticket there, unless it was accepted meanwhile. */
async function* linesFrom(
  { of, keys }: Servers,
  heading: string,
  counts: Counts,
  progress: Progress,
): AsyncGenerator<string> {
  yield heading;
  const sources: readonly Source[] = [
    { client: of.limits, place: 'limits', keys },
    { client: of.queue, place: 'queue', keys },
  ];
  const sizes = await Promise.all(sources.map(({ client }) => sizeOf(client)));
  const steps = sizes.reduce((sum, size) => sum + size, 0) * PASSES.length;
  let passed = 0;
  let lines = 0;
  const onStep = (count: number) => {
    passed += count;
    progress.show(passed / Math.max(1, steps), summaryOf(counts));
  };
  for await (const entry of entriesOf(sources, onStep)) {
    if (!entry.isMore) {
      const { name } = kindOf(entry.name);
      counts[name] = (counts[name] ?? 0) + 1;
    }
    lines += 1;
    yield encodeEntry(entry);
  }
  const ending: Ending = { end: true, ended_at: new Date().toISOString(), lines, keys: counts };
  yield JSON.stringify(ending);
}

async function* entriesOf(
  sources: readonly Source[],
  onStep: (count: number) => void,
): AsyncGenerator<Entry> {
  for (const source of sources) {
    for (const pass of PASSES as readonly Pass[]) yield* readPass(source, pass, onStep);
  }
}

function summaryOf(counts: Counts): string {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const { key = 0, tenant = 0, job = 0 } = counts;
  return `${tenant} tenants, ${key} keys, ${job} jobs; ${all} entries`;
}
