/**
 * Reads what a backup holds, without anybody noticing: a few keys at a time, each of them in a step of some
 * microseconds, long ones piece by piece, with pauses of half the time that the work between them took. So it holds a
 * server for less than a millisecond at once, and needs no more memory than a few keys do.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisKeys } from '../keys.ts';
import type { RedisClient } from '../options.ts';
import type { KeyMembers } from './commands.ts';
import { namesOf, primariesOf } from './connection.ts';
import type { Entry, EntryType, Text } from './entry.ts';
import { type Kind, kindOf, type Pass, type Place } from './plan.ts';

/** Longer ones are read piece by piece. */
const MEMBERS_MAX = 256;
const PIECE_BYTES = 512 * 1024;
const PIECE_MEMBERS_FIRST = 4;
const PIECE_MEMBERS_MAX = 512;
const KEYS_AT_ONCE = 32;
const WORKED_MS_MIN = 3;
const PAUSE_MS_MAX = 250;

export interface Source {
  readonly client: RedisClient;
  readonly place: Place;
  readonly keys: RedisKeys;
}

/** @param onStep as of `namesOf` */
export async function* readPass(
  source: Source,
  pass: Pass,
  onStep: (passed: number) => void,
): AsyncGenerator<Entry> {
  const { client, place, keys } = source;
  const root = keys.everything();
  const rest = pacer();
  for await (const found of namesOf(client, root, onStep)) {
    const wanted = found.flatMap((full) => {
      const name = full.slice(root.length);
      const kind = kindOf(name);
      return kind.place === place && kind.pass === pass ? [{ name, kind }] : [];
    });
    for (let at = 0; at < wanted.length; at += KEYS_AT_ONCE) {
      yield* readKeys(source, wanted.slice(at, at + KEYS_AT_ONCE), rest);
      await rest();
    }
    await rest();
  }
}

interface WantedKey {
  readonly name: string;
  readonly kind: Kind;
}

async function* readKeys(
  { client, keys }: Source,
  wanted: readonly WantedKey[],
  rest: Pacer,
): AsyncGenerator<Entry> {
  const root = keys.everything();
  const read = await Promise.all(wanted.map(({ name, kind }) => readKey(client, root + name, kind)));
  for (const [index, { name }] of wanted.entries()) {
    const one = read[index];
    if (one === undefined) continue;
    const { type, expiresAtMs, rows } = one;
    if (rows) yield { name, type, expiresAtMs, isMore: false, rows };
    else yield* readPieces(client, root, { name, type, expiresAtMs }, rest);
  }
}

type Pacer = () => Promise<void>;

/** Rests half as long as was worked, as soon as that is worth a timer. */
function pacer(): Pacer {
  let begunMs = performance.now();
  return async () => {
    const workedMs = performance.now() - begunMs;
    if (workedMs < WORKED_MS_MIN) return;
    await sleep(Math.min(PAUSE_MS_MAX, workedMs / 2));
    begunMs = performance.now();
  };
}

/** How many keys the servers hold, of whomever: as many are passed in each pass. */
export async function sizeOf(client: RedisClient): Promise<number> {
  const sizes = await Promise.all(primariesOf(client).map((node) => node.dbsize()));
  return sizes.reduce((sum, size) => sum + size, 0);
}

interface ReadKey {
  readonly type: EntryType;
  readonly expiresAtMs: number | undefined;
  /** Undefined: it has to be read piece by piece. */
  readonly rows: Entry['rows'] | undefined;
}

/** Undefined: it has gone meanwhile. */
async function readKey(client: RedisClient, key: string, { isBody }: Kind): Promise<ReadKey | undefined> {
  const [name, expires, isWhole, members] = await client.readKeyBuffer(key, MEMBERS_MAX, isBody ? 1 : 0);
  const type = name.toString();
  if (type === 'none') return undefined;
  const expiresAtMs = expires < 0 ? undefined : expires;
  // The script refuses types that there are not.
  return {
    type: type as EntryType,
    expiresAtMs,
    rows: isWhole ? rowsOf(type as EntryType, members) : undefined,
  };
}

function rowsOf(type: EntryType, members: KeyMembers): Entry['rows'] {
  if (type === 'stream') return members.map(([id, fields]) => [id, fields].flat(2) as Buffer[]);
  const flat = members as Buffer[];
  if (type === 'hash' || type === 'zset') return pairsOf(flat);
  return flat.map((member) => [member]);
}

function pairsOf(members: readonly Buffer[]): Buffer[][] {
  const pairs: Buffer[][] = [];
  for (let index = 0; index + 1 < members.length; index += 2) pairs.push(members.slice(index, index + 2));
  return pairs;
}

interface LongKey {
  readonly name: string;
  readonly type: EntryType;
  readonly expiresAtMs: number | undefined;
}

/** In pieces of about half a megabyte: as many members as the piece before lets expect. */
async function* readPieces(
  client: RedisClient,
  root: string,
  key: LongKey,
  rest: Pacer,
): AsyncGenerator<Entry> {
  const next = reader(client, root + key.name, key.type);
  let count = PIECE_MEMBERS_FIRST;
  let isMore = false;
  for (;;) {
    const { rows, isLast } = await next(count);
    if (rows.length > 0) {
      yield { ...key, isMore, rows };
      isMore = true;
      const bytes = rows.flat().reduce((sum, text) => sum + text.length, 0);
      const fitting = Math.floor((rows.length * PIECE_BYTES) / Math.max(1, bytes));
      count = Math.min(PIECE_MEMBERS_MAX, 2 * count, Math.max(1, fitting));
    }
    if (isLast) return;
    await rest();
  }
}

interface Piece {
  readonly rows: readonly (readonly Text[])[];
  readonly isLast: boolean;
}

type Reader = (count: number) => Promise<Piece>;

function reader(client: RedisClient, key: string, type: EntryType): Reader {
  if (type === 'stream') return streamReader(client, key);
  if (type === 'list') return listReader(client, key);
  const scans = {
    hash: 'hscanBuffer',
    set: 'sscanBuffer',
    zset: 'zscanBuffer',
    string: 'sscanBuffer',
  } as const;
  let cursor = '0';
  return async (count) => {
    const [next, members] = await client[scans[type]](key, cursor, 'COUNT', count);
    cursor = next.toString();
    return { rows: rowsOf(type, members), isLast: cursor === '0' };
  };
}

function streamReader(client: RedisClient, key: string): Reader {
  let from = '-';
  return async (count) => {
    const found = await client.xrangeBuffer(key, from, '+', 'COUNT', count);
    const rows = found.map(([id, fields]) => [id, ...fields]);
    from = `(${rows.at(-1)?.[0]}`;
    return { rows, isLast: rows.length < count };
  };
}

function listReader(client: RedisClient, key: string): Reader {
  let from = 0;
  return async (count) => {
    const found = await client.lrangeBuffer(key, from, from + count - 1);
    from += found.length;
    return { rows: found.map((one) => [one]), isLast: found.length < count };
  };
}
