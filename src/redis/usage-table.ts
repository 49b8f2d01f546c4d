/**
 * Reads what the ticket scripts write: the books, the used part of the quotas, the stream of ended calls. Every
 * command touches a bounded number of members or fields; all keys of a tenant lie in one slot.
 */
import { type QuotaPeriod, quotaPeriods } from '../core/limits.ts';
import { periodAt } from '../core/periods.ts';
import type { Answer, RedisClient, RedisConnection } from './connection.ts';
import { type KeptCall, readKeptCall } from './kept-call.ts';
import type { Amounts } from './ticket-table.ts';

/** Whole numbers. Calls count those that failed and those that were lost. */
export interface UsageSums {
  readonly calls: number;
  readonly errors: number;
  /** Their replica died: what had been reserved stands for what they used, and their duration is not known. */
  readonly lost: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Part of the input. */
  readonly cachedTokens: number;
  readonly images: number;
  readonly gpuMs: number;
  readonly costNano: number;
  readonly durationMs: number;
}

/** What has sums of its own in a day or month; `*` and `*` for the whole tenant, by day alone. */
export interface UsageSpot {
  /** 2026-11-21 or 2026-11, UTC. */
  readonly span: string;
  readonly keyId: string;
  readonly model: string;
}

/** A key and a model that it has used. */
export interface UsagePair {
  readonly keyId: string;
  readonly model: string;
  /** Where it stands in its order: one pair comes before another where this string does. */
  readonly place: string;
}

export interface PairQuery {
  /** What pairs are sorted by first. */
  readonly order: 'key' | 'model';
  /** Only pairs behind this place. */
  readonly after?: string | undefined;
  /** The first so many. */
  readonly countMax: number;
  readonly keyId?: string | undefined;
  readonly model?: string | undefined;
}

export interface UsedQuotas {
  /** Redis' clock. */
  readonly nowMs: number;
  /** Beside the scopes; a period that is absent, or has passed, has nothing used. */
  readonly used: readonly ReadonlyMap<QuotaPeriod, Amounts>[];
}

export interface CallPage {
  /** Newest first. */
  readonly calls: readonly { readonly id: string; readonly endedAtMs: number; readonly call: KeptCall }[];
  readonly nextCursor: string | null;
}

export interface UsageTable {
  /** Beside the spots; undefined where nothing was used. */
  sums(tenant: string, spots: readonly UsageSpot[]): Promise<Answer<readonly (UsageSums | undefined)[]>>;
  /** Those with sums in the month, in their order. Looks at all of them, and holds a few times `countMax`. */
  pairs(tenant: string, month: string, query: PairQuery): Promise<Answer<readonly UsagePair[]>>;
  /** @param scopes as `keys.account` has them */
  usedQuotas(tenant: string, scopes: readonly string[]): Promise<Answer<UsedQuotas>>;
  /** @param cursor id of the last call of the page before */
  calls(tenant: string, limit: number, cursor?: string): Promise<Answer<CallPage>>;
}

/** Of one hash; scripts/read-sums.lua has their order. */
const SUM_FIELDS = 10;
const QUOTA_FIELDS = quotaPeriods.map((_, index) => String(index + 1));
/** Hashes that one script reads, in less than a millisecond; between two lots other connections have their turn. */
const LOT = 250;
const SCANNED_AT_ONCE = 1_000;

export function usageTable({ ask, keys }: RedisConnection): UsageTable {
  return {
    sums: (tenant, spots) =>
      ask(async (client) => {
        const found: (UsageSums | undefined)[] = new Array(spots.length).fill(undefined);
        const root = keys.root(tenant);
        for (let at = 0; at < spots.length; at += LOT) {
          const lot = spots.slice(at, at + LOT);
          const names = lot.map(({ span, keyId, model }) => `${span}:${keyId}:${model}`);
          const rows = await client.readSums(root, ...names);
          for (let row = 0; row < rows.length; row += 1 + SUM_FIELDS) {
            found[at + Number(rows[row]) - 1] = readSums(rows.slice(row + 1, row + 1 + SUM_FIELDS));
          }
        }
        return found;
      }, 'usage'),

    pairs: (tenant, month, query) =>
      ask((client) => scanPairs(client, keys.usageIndex(tenant, month), query), 'usage'),

    usedQuotas: (tenant, scopes) =>
      ask(async (client) => {
        const [[seconds, microseconds], ...accounts] = await Promise.all([
          client.time(),
          ...scopes.map((scope) => client.hmget(keys.account(tenant, scope), ...QUOTA_FIELDS)),
        ]);
        const nowMs = Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
        return { nowMs, used: accounts.map((fields) => readUsed(fields, nowMs)) };
      }, 'usage'),

    calls: (tenant, limit, cursor) =>
      ask(async (client) => {
        const newest = cursor === undefined ? '+' : `(${cursor}`;
        const entries = await client.xrevrange(keys.calls(tenant), newest, '-', 'COUNT', limit + 1);
        const calls = entries.slice(0, limit).map(([id, entry]) => {
          return { id, endedAtMs: Number.parseInt(id, 10), call: readKeptCall(entry) };
        });
        return { calls, nextCursor: entries.length > limit ? (calls.at(-1)?.id ?? null) : null };
      }, 'usage'),
  };
}

function readUsed(fields: readonly (string | null)[], nowMs: number): Map<QuotaPeriod, Amounts> {
  const used = new Map<QuotaPeriod, Amounts>();
  for (const [index, period] of quotaPeriods.entries()) {
    const numbers = fields[index]?.split(' ').map(Number);
    if (numbers === undefined) continue;
    const [number = 0, requests = 0, tokens = 0, images = 0, gpuMs = 0, costNano = 0] = numbers;
    // A later period than this one is that of a clock which was ahead: it is not over.
    if (number >= periodAt(period, nowMs)) used.set(period, [requests, tokens, images, gpuMs, costNano]);
  }
  return used;
}

function readSums(fields: readonly (number | string)[]): UsageSums {
  const [calls = 0, errors = 0, lost = 0, inputTokens = 0, outputTokens = 0, ...rest] = fields.map(Number);
  const [cachedTokens = 0, images = 0, gpuMs = 0, costNano = 0, durationMs = 0] = rest;
  return {
    ...{ calls, errors, lost, inputTokens, outputTokens },
    ...{ cachedTokens, images, gpuMs, costNano, durationMs },
  };
}

/**
 * An index may hold a key for each of a hundred thousand users, so it is never sorted as a whole: of what each
 * step brings, the first `countMax` are kept. A scan may bring a member twice.
 */
async function scanPairs(client: RedisClient, index: string, query: PairQuery): Promise<UsagePair[]> {
  const { order, after, countMax } = query;
  const match = `${pattern(query.keyId)} ${pattern(query.model)}`;
  let places: string[] = [];
  let cursor = '0';
  do {
    const step = await client.sscan(index, cursor, 'MATCH', match, 'COUNT', SCANNED_AT_ONCE);
    cursor = step[0];
    for (const member of step[1]) {
      const place = order === 'key' ? member : swapped(member);
      if (after === undefined || place > after) places.push(place);
    }
    if (places.length > 2 * countMax) places = firstOf(places, countMax);
  } while (cursor !== '0');
  return firstOf(places, countMax).map((place) => {
    const [keyId = '', model = ''] = (order === 'key' ? place : swapped(place)).split(' ');
    return { keyId, model, place };
  });
}

function firstOf(places: readonly string[], countMax: number): string[] {
  return [...new Set(places)].sort().slice(0, countMax);
}

/** Neither a key id nor the name of a model holds a space. */
function swapped(place: string): string {
  const space = place.indexOf(' ');
  return `${place.slice(space + 1)} ${place.slice(0, space)}`;
}

/** As a glob that matches itself alone. */
function pattern(text: string | undefined): string {
  return text === undefined ? '*' : text.replace(/[*?[\]\\^-]/g, '\\$&');
}
