/** Puts entries of a backup back, as fast as the server takes them and a bounded number at once. */
import { type InstallationRecord, readInstallation } from '../cluster-table.ts';
import type { RedisKeys } from '../keys.ts';
import type { RedisClient } from '../options.ts';
import { adapted, leaseEnd, type Moment } from './adapt.ts';
import { namesOf } from './connection.ts';
import type { Entry } from './entry.ts';
import { kindOf, type Place, tenantOf } from './plan.ts';

const COMMANDS_MAX = 256;
const BYTES_MAX = 1024 * 1024;
const ROWS_MAX = 256;
const IDS_AT_ONCE = 50;

/** Of `accepted_from`, as admission/installation.ts keeps them. */
const ACCEPTED_MAX = 16;

export interface Target {
  readonly client: RedisClient;
  readonly keys: RedisKeys;
}

/** Keys that somebody would miss: those that processes make which merely run do not count. Stops at `countMax`. */
export async function dataIn({ client, keys }: Target, place: Place, countMax: number): Promise<number> {
  const root = keys.everything();
  let count = 0;
  for await (const names of namesOf(client, root)) {
    for (const name of names) {
      const kind = kindOf(name.slice(root.length));
      if (kind.place === place && !kind.isIdle) count += 1;
    }
    if (count >= countMax) return count;
  }
  return count;
}

/** Everything under the prefix. @returns how many keys */
export async function removeAll({ client, keys }: Target): Promise<number> {
  let count = 0;
  for await (const names of namesOf(client, keys.everything())) {
    const gone = await Promise.all(names.map((name) => client.unlink(name)));
    count += gone.reduce((sum, one) => sum + one, 0);
  }
  return count;
}

export interface Writer {
  /** Waits where too much is under way. @returns false: its time is over, and nothing was written */
  write(entry: Entry): Promise<boolean>;
  /** Settles when all that was written has been confirmed. */
  flush(): Promise<void>;
}

export function entryWriter({ client, keys }: Target, moment: Moment): Writer {
  let underWay: Promise<unknown>[] = [];
  let bytes = 0;

  const flush = async () => {
    const all = underWay;
    underWay = [];
    bytes = 0;
    await Promise.all(all);
  };

  const send = (command: Promise<unknown>) => {
    command.catch(() => undefined); // `flush` reports it
    underWay.push(command);
  };

  return {
    flush,
    async write(whole) {
      const entry = adapted(whole, moment);
      if (!entry) return false;
      const key = keys.everything() + entry.name;
      // The copy may have met a key twice. Leases are also written with their tickets.
      if (!entry.isMore && kindOf(entry.name).name !== 'leases') send(client.unlink(key));
      for (let at = 0; at < entry.rows.length; at += ROWS_MAX) {
        const rows = entry.rows.slice(at, at + ROWS_MAX);
        for (const command of writes(client, key, { ...entry, rows })) send(command);
        bytes += rows.flat().reduce((sum, text) => sum + text.length, 0);
      }
      if (entry.expiresAtMs !== undefined) send(client.pexpireat(key, entry.expiresAtMs));
      for (const command of leases(client, keys, entry, moment)) send(command);
      if (underWay.length >= COMMANDS_MAX || bytes >= BYTES_MAX) await flush();
      return true;
    },
  };
}

function writes(client: RedisClient, key: string, { type, rows }: Entry): Promise<unknown>[] {
  const flat = rows.flat();
  if (flat.length === 0) return [];
  switch (type) {
    case 'string':
      return [client.set(key, flat[0] ?? '')];
    case 'hash':
      return [client.hset(key, ...flat)];
    case 'set':
      return [client.sadd(key, ...flat)];
    case 'zset':
      return [client.zadd(key, ...rows.flatMap(([member = '', score = '0']) => [String(score), member]))];
    case 'list':
      return [client.rpush(key, ...flat)];
    case 'stream':
      return rows.map(([id = '', ...fields]) => client.xadd(key, String(id), ...fields));
  }
}

/** A ticket without a lease would never end: the copy may have caught the one and not the other. */
function leases(
  client: RedisClient,
  keys: RedisKeys,
  { name, rows }: Entry,
  moment: Moment,
): Promise<unknown>[] {
  const tenant = tenantOf(name);
  if (tenant === undefined || kindOf(name).name !== 'tickets') return [];
  return rows.map(([id = '']) => client.zadd(keys.leases(tenant), 'NX', leaseEnd(id, 0, moment), id));
}

export interface Readmitted {
  readonly jobsWaiting: number;
  readonly jobsOver: number;
  readonly eventsWaiting: number;
}

/** Gives jobs and events whose records are back their places in the order. Bounded in memory, and may be repeated. */
export async function readmit({ client, keys }: Target): Promise<Readmitted> {
  const root = keys.jobRoot();
  let [jobsWaiting, jobsOver, eventsWaiting] = [0, 0, 0];
  for await (const ids of idsOf(client, keys.job(''))) {
    const [waiting, over] = await client.readmitJobs(root, ...ids);
    jobsWaiting += waiting;
    jobsOver += over;
  }
  for await (const ids of idsOf(client, keys.event('')))
    eventsWaiting += await client.readmitEvents(root, ...ids);
  return { jobsWaiting, jobsOver, eventsWaiting };
}

async function* idsOf(client: RedisClient, beginning: string): AsyncGenerator<readonly string[]> {
  for await (const names of namesOf(client, beginning)) {
    const ids = names.map((name) => name.slice(beginning.length));
    for (let at = 0; at < ids.length; at += IDS_AT_ONCE) yield ids.slice(at, at + IDS_AT_ONCE);
  }
}

/**
 * The data are those of the copy again, which replicas that have known them trust by themselves. Those that have met
 * what stands here now trust them too: an operator has put the copy in its place.
 */
export async function putInstallation({ client, keys }: Target, text: string): Promise<void> {
  const restored = readInstallation(text);
  const met = readInstallation((await client.get(keys.installation())) ?? '');
  if (!restored) return;
  const given = [...restored.accepted_from, ...(met ? [...met.doubted_by, met.id] : [])];
  const accepted = [...new Set(given)].filter((id) => id !== restored.id).slice(-ACCEPTED_MAX);
  const record: InstallationRecord = { ...restored, accepted_from: accepted };
  await client.set(keys.installation(), JSON.stringify(record));
}
