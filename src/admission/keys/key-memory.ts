/**
 * What this replica knows of keys. The age of a record decides:
 *
 *   0 ───────── half ───────── cache_seconds ─────────────────── grace_seconds
 *     served       served, and     Redis decides; while it is      Redis decides,
 *                  fetched anew    away: served                     or nobody
 *
 * A change drops the record by message; if the message is lost, its age bounds how long it still serves.
 */
import type { Config } from '../../config/schema.ts';
import type { Refusal } from '../../core/errors.ts';
import type { Invalidation, StoredKey } from '../../redis/key-records.ts';
import type { KeyTable } from '../../redis/key-table.ts';
import type { Logger } from '../../telemetry/log.ts';
import { type Judging, judgeKey } from './judge-key.ts';
import { type CachedKey, KeyCache } from './key-cache.ts';
import { type FoundAnswer, KeyLookup } from './key-lookup.ts';
import { keyCannotBeChecked } from './key-refusals.ts';
import { UnknownKeys } from './unknown-keys.ts';

/** While Redis does not answer, it is asked for the same key this often. */
const RETRY_MS = 1_000;

/** `unknown`: there is no such key. A refusal: Redis did not answer and the key is not known here. */
export type Fetched = CachedKey | 'unknown' | Refusal;

/** How far what Redis says of a key can be believed, after it was emptied or rolled back. */
export interface DataInRedis {
  /** Whether a key that is not there does not exist. */
  isTrusted(): boolean;
  /** Whether this key was revoked lately, even if its record says otherwise. */
  isRevoked(keyId: string): boolean;
}

interface KeyMemoryParts extends Pick<Judging, 'termsWithoutRecord' | 'useOf'> {
  readonly table: Pick<KeyTable, 'findBySecret' | 'findTenantVersioned'>;
  readonly limits: Pick<Config['keys'], 'cache_seconds' | 'grace_seconds' | 'cached_max'>;
  /** Keys that need no Redis, by digest; only whether their tenant is disabled is asked. */
  readonly environment: ReadonlyMap<string, StoredKey>;
  readonly data: DataInRedis;
  readonly log: Logger;
}

export class KeyMemory {
  readonly #environment: ReadonlyMap<string, StoredKey>;
  readonly #judging: Pick<Judging, 'termsWithoutRecord' | 'useOf'>;
  readonly #data: DataInRedis;
  readonly #log: Logger;
  readonly #lifeMs: number;
  readonly #graceMs: number;
  readonly #known: KeyCache;
  readonly #unknown = new UnknownKeys();
  readonly #lookup: KeyLookup<Fetched>;

  constructor({ table, limits, environment, termsWithoutRecord, useOf, data, log }: KeyMemoryParts) {
    this.#environment = environment;
    this.#judging = { termsWithoutRecord, useOf };
    this.#data = data;
    this.#log = log;
    this.#lifeMs = limits.cache_seconds * 1_000;
    this.#graceMs = limits.grace_seconds * 1_000;
    this.#known = new KeyCache(limits.cached_max);
    this.#lookup = new KeyLookup({
      load: (digest) => this.#load(table, digest),
      conclude: (digest, answer, askedAtMs) => this.#conclude(digest, answer, askedAtMs),
    });
  }

  /** What may be served at once; undefined when Redis has to be asked first. */
  recall(digest: string, nowMs: number): CachedKey | 'unknown' | undefined {
    const known = this.#known.get(digest);
    if (!known) return this.#unknown.has(digest, nowMs) ? 'unknown' : undefined;
    const ageMs = nowMs - known.fetchedAtMs;
    // A negative age: the clock was set back, and how old the record is nobody knows.
    if (!known.stale && ageMs >= 0 && ageMs < this.#lifeMs) {
      if (ageMs >= this.#lifeMs / 2 && isDue(known, nowMs)) this.#refresh(digest, nowMs);
      return known;
    }
    return isDue(known, nowMs) || ageMs >= known.graceMs ? undefined : known;
  }

  /** Whether its record is in memory, however old. */
  isKnown(digest: string): boolean {
    return this.#known.get(digest) !== undefined;
  }

  /** Asks Redis. Settles within two command time-outs, or five times that if the record keeps changing. */
  fetch(digest: string, nowMs: number): Promise<Fetched> {
    return this.#lookup.find(digest, nowMs);
  }

  forget(change: Invalidation): void {
    this.#unknown.clear();
    if (change.kind === 'key') {
      this.#known.dropKey(change.tenant, change.key);
      this.#lookup.voidWhatTouches(change.key);
    } else if (change.kind === 'tenant') {
      this.#known.dropTenant(change.tenant);
      this.#lookup.voidWhatTouches(change.tenant);
    }
  }

  /** Messages may have been missed. */
  doubtEverything(): void {
    this.#unknown.clear();
    this.#known.makeAllStale();
    this.#lookup.voidAll();
  }

  async #load(table: KeyMemoryParts['table'], digest: string): Promise<FoundAnswer> {
    const named = this.#environment.get(digest);
    if (!named) return this.#believed(await table.findBySecret(digest));
    const found = await table.findTenantVersioned(named.tenant);
    return found.ok ? { ok: true, value: { stored: named, ...found.value } } : found;
  }

  #believed(answer: FoundAnswer): FoundAnswer {
    if (!answer.ok) return answer;
    if (!answer.value) return this.#data.isTrusted() ? answer : DATA_MISSING;
    const { stored } = answer.value;
    if (stored.status === 'revoked' || !this.#data.isRevoked(stored.id)) return answer;
    return { ok: true, value: { ...answer.value, stored: { ...stored, status: 'revoked' } } };
  }

  #refresh(digest: string, nowMs: number): void {
    if (this.#lookup.isUnderWay(digest)) return;
    this.#lookup
      .find(digest, nowMs)
      .catch((error: Error) => this.#log.error({ cause: error.message }, 'a key cannot be read'));
  }

  #conclude(digest: string, answer: FoundAnswer, askedAtMs: number): Fetched {
    if (!answer.ok) return this.#withoutRedis(digest, answer.failure.cause, askedAtMs);
    this.#known.drop(digest);
    if (!answer.value) {
      this.#unknown.add(digest, askedAtMs);
      return 'unknown';
    }
    const known = judgeKey(answer.value, digest, askedAtMs, this.#judgingOf(digest));
    this.#known.put(known);
    return known;
  }

  #withoutRedis(digest: string, cause: string, askedAtMs: number): Fetched {
    const known = this.#known.get(digest) ?? this.#namedByEnvironment(digest);
    if (!known || askedAtMs - known.fetchedAtMs >= known.graceMs) return keyCannotBeChecked(cause);
    known.retryAtMs = askedAtMs + RETRY_MS;
    return known;
  }

  #namedByEnvironment(digest: string): CachedKey | undefined {
    const named = this.#environment.get(digest);
    if (!named) return undefined;
    const found = { stored: named, tenant: undefined, version: 0 };
    const known = judgeKey(found, digest, 0, this.#judgingOf(digest));
    this.#known.put(known);
    return known;
  }

  #judgingOf(digest: string): Judging {
    const graceMs = this.#environment.has(digest) ? Number.POSITIVE_INFINITY : this.#graceMs;
    return { graceMs, ...this.#judging };
  }
}

/** Whether Redis may be asked again for this key; false for a while after it did not answer. */
function isDue({ retryAtMs }: CachedKey, nowMs: number): boolean {
  return nowMs >= retryAtMs || retryAtMs - nowMs > RETRY_MS;
}

const DATA_MISSING: FoundAnswer = {
  ok: false,
  failure: { kind: 'unavailable', cause: 'the data of the installation may be missing' },
};
