/** `restore`: puts a backup back into an empty Redis. */
import { parseArgs } from 'node:util';
import { progressOn } from '../cli/progress.ts';
import type { Config } from '../config/schema.ts';
import type { Moment } from '../redis/backup/adapt.ts';
import { primariesOf } from '../redis/backup/connection.ts';
import { decodeEntry, type Entry } from '../redis/backup/entry.ts';
import { kindOf } from '../redis/backup/plan.ts';
import {
  dataIn,
  entryWriter,
  putInstallation,
  readmit,
  removeAll,
  type Target,
} from '../redis/backup/target.ts';
import { isSealed, linesOf } from './backup/file.ts';
import {
  causeOf,
  checkHeading,
  connectServers,
  type Heading,
  Refused,
  readConfig,
  type Servers,
} from './backup/terms.ts';

const usage = `usage: restore [--force] FILE   puts a backup back; stop gateways and workers before
  --force   what Sluice keeps in that Redis is deleted first; without it nothing is done unless there is nothing
The configuration is that of a gateway: SLUICE_CONFIG, SLUICE_SECRET, REDIS_URL, QUEUE_REDIS_URL.
`;

const INSTALLATION = 'installation';

/** Ends with exit code 0, 1 (it did not work) or 2 (it was called wrongly). */
export async function run(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  try {
    await restore(argv, env);
  } catch (error) {
    const message = error instanceof Refused ? error.message : causeOf(error);
    const isMisuse = error instanceof Refused && error.exitCode === 2;
    process.stderr.write(`sluice: ${message}\n${isMisuse ? usage : ''}`);
    process.exitCode = isMisuse ? 2 : 1;
  }
}

async function restore(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { file, isForced } = readArguments(argv);
  const config = readConfig(env);
  const heading = await checkedHeading(file, config);
  const servers = await connectServers(config);
  try {
    await makeRoom(servers, isForced);
    process.stdout.write(`${file}: of ${heading.begun_at}, by Sluice ${heading.sluice}\n`);
    const outcome = await putBack(servers, file, config).catch((error: unknown) => {
      throw new Refused(`the restore is incomplete: ${causeOf(error)}. Run it again, with --force.`);
    });
    process.stdout.write(`${outcome}\n`);
  } finally {
    servers.close();
  }
}

function readArguments(argv: readonly string[]): { readonly file: string; readonly isForced: boolean } {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: { force: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    const [file, ...more] = positionals;
    if (file === undefined || more.length > 0) throw new Error('name one file.');
    return { file, isForced: values.force };
  } catch (error) {
    throw new Refused(causeOf(error), 2);
  }
}

/** Before anything is written. */
async function checkedHeading(file: string, config: Config): Promise<Heading> {
  const sealed = await isSealed(file).catch((error: unknown) => {
    throw new Refused(`cannot read ${file}: ${causeOf(error)}`);
  });
  if (!sealed) throw new Refused(`${file} is damaged, cut short, or no backup. Nothing was written.`);
  for await (const line of linesOf(file)) return checkHeading(line, config);
  throw new Refused(`${file} is empty. Nothing was written.`);
}

async function makeRoom(servers: Servers, isForced: boolean): Promise<void> {
  const targets = [limitsOf(servers), queueOf(servers)];
  if (isForced) {
    for (const target of targets) {
      const count = await removeAll(target);
      if (count > 0) process.stdout.write(`${count} entries of before are deleted\n`);
    }
    return;
  }
  if (
    (await dataIn(targets[0] as Target, 'limits', 1)) + (await dataIn(targets[1] as Target, 'queue', 1)) ===
    0
  )
    return;
  throw new Refused(
    'that Redis is not empty: Sluice keeps data in it. Nothing was written. With --force they are deleted first.',
  );
}

function limitsOf({ of, keys }: Servers): Target {
  return { client: of.limits, keys };
}
function queueOf({ of, keys }: Servers): Target {
  return { client: of.queue, keys };
}

/**
 * Jobs are given their places when all of them are there, and the name of the installation comes last: until then replicas
 * that have met other data trust none.
 * @returns what came of it
 */
async function putBack(servers: Servers, file: string, config: Config): Promise<string> {
  const moment = { nowMs: await clockOf(servers), jobLifeMs: config.jobs.lifetime_seconds * 1_000 };
  const { written, over, installation } = await writeAll(servers, file, moment);
  const { jobsWaiting, jobsOver, eventsWaiting } = await readmit(queueOf(servers));
  await putInstallation(limitsOf(servers), installation);
  return (
    `${written} entries are back, ${over} had run out; ${jobsWaiting} jobs wait, ${jobsOver} have ended, ` +
    `${eventsWaiting} events of webhooks wait`
  );
}

async function writeAll(servers: Servers, file: string, moment: Moment) {
  const writers = {
    limits: entryWriter(limitsOf(servers), moment),
    queue: entryWriter(queueOf(servers), moment),
  };
  const progress = progressOn(process.stderr);
  let [written, over, share, installation] = [0, 0, 0, ''];
  const onRead = (done: number) => {
    share = done;
  };
  try {
    for await (const entry of entriesOf(file, onRead)) {
      if (entry.name === INSTALLATION) {
        installation = String(entry.rows[0]?.[0] ?? '');
        continue;
      }
      const isWritten = await writers[kindOf(entry.name).place].write(entry);
      progress.show(share, `${written} entries`);
      if (entry.isMore) continue;
      if (isWritten) written += 1;
      else over += 1;
    }
    await Promise.all([writers.limits.flush(), writers.queue.flush()]);
  } finally {
    progress.end();
  }
  return { written, over, installation };
}

async function* entriesOf(file: string, onRead: (share: number) => void): AsyncGenerator<Entry> {
  let isFirst = true;
  for await (const line of linesOf(file, onRead)) {
    if (!isFirst && !Object(line).end) yield decodeEntry(line);
    isFirst = false;
  }
}

async function clockOf({ of }: Servers): Promise<number> {
  const [seconds] = (await primariesOf(of.limits)[0]?.time()) ?? [];
  return Number(seconds ?? Date.now() / 1_000) * 1_000;
}
