/**
 * Who owns a job, as of now: his key may have been revoked, or been given other limits, since the job was taken in.
 *
 * A record serves for `keys.cache_seconds`. Nobody has to be told of changes, because admission compares versions: it
 * says `stale` to a principal that is not the tenant's any more, and whoever then asks anew meets the change. Without
 * Redis no job begins, so there is no grace.
 */
import type { Config } from '../../config/schema.ts';
import type { TokenSubject } from '../../core/token-subject.ts';
import type { RedisConnection } from '../../redis/connection.ts';
import type { StoredKey } from '../../redis/key-records.ts';
import { keyTable } from '../../redis/key-table.ts';
import { findSubjectOwner } from '../jwt/subject-owner.ts';
import { environmentKeys } from '../keys/environment-keys.ts';
import { judgeOwner } from '../keys/judge-key.ts';
import { keyDigest } from '../keys/key-digest.ts';
import { type FoundAnswer, KeyLookup } from '../keys/key-lookup.ts';
import type { DataInRedis } from '../keys/key-memory.ts';
import { invalidKey, keyCannotBeChecked } from '../keys/key-refusals.ts';
import { termsWithoutRecord } from '../keys/tenant-terms.ts';
import type { Verdict } from '../verdict.ts';

/** Refusals: `invalid_api_key` for good, and `store_unavailable` while Redis cannot be asked or believed. */
export interface Principals {
  /**
   * Settles within the command time-out; two of them where the key is named by the environment.
   * @param nowMs wall clock
   * @param subject of whoever came in with a token, and has no key
   */
  find(tenant: string, keyId: string, nowMs: number, subject?: TokenSubject): Promise<Verdict>;
  /** The same, from Redis: what is in memory has proved to be old. */
  findAnew(tenant: string, keyId: string, nowMs: number, subject?: TokenSubject): Promise<Verdict>;
}

interface PrincipalsParts {
  readonly redis: RedisConnection;
  readonly config: Pick<Config, 'auth' | 'keys' | 'secret' | 'defaults' | 'tenants'>;
  readonly data: DataInRedis;
}

interface KnownOwner {
  readonly verdict: Verdict;
  readonly fetchedAtMs: number;
}

/** A worker meets far fewer owners at a time. */
const KNOWN_MAX = 10_000;

export function createPrincipals(parts: PrincipalsParts): Principals {
  return new RememberedPrincipals(parts);
}

class RememberedPrincipals implements Principals {
  readonly #parts: PrincipalsParts;
  readonly #lifeMs: number;
  readonly #environment: ReadonlyMap<string, StoredKey>;
  /** By tenant and id of the key; those that were fetched first go first. */
  readonly #known = new Map<string, KnownOwner>();
  readonly #lookup: KeyLookup<Verdict>;
  readonly #ofSubject: (tenant: string, subject: TokenSubject, nowMs: number) => Promise<Verdict>;

  constructor(parts: PrincipalsParts) {
    const { redis, config } = parts;
    const table = keyTable(redis);
    const termsOf = termsWithoutRecord(config);
    const named = environmentKeys(config.keys.environment, keyDigest(config.secret), config.defaults.key);
    this.#parts = parts;
    this.#lifeMs = config.keys.cache_seconds * 1_000;
    this.#environment = new Map(
      [...named.values()].map((stored) => [nameOf(stored.tenant, stored.id), stored]),
    );
    this.#ofSubject = (...asked) =>
      findSubjectOwner({ config, table, termsWithoutRecord: termsOf, data: parts.data }, ...asked);
    this.#lookup = new KeyLookup({
      load: async (name): Promise<FoundAnswer> => {
        const environment = this.#environment.get(name);
        const [tenant, keyId] = name.split('/') as [string, string];
        if (!environment) return table.findOfTenant(tenant, keyId);
        const found = await table.findTenantVersioned(tenant);
        return found.ok ? { ok: true, value: { stored: environment, ...found.value } } : found;
      },
      conclude: (name, answer, askedAtMs) => {
        const verdict = this.#judge(name, answer, askedAtMs, termsOf);
        if (verdict.ok) this.#remember(name, { verdict, fetchedAtMs: askedAtMs });
        else this.#known.delete(name);
        return verdict;
      },
    });
  }

  async find(tenant: string, keyId: string, nowMs: number, subject?: TokenSubject): Promise<Verdict> {
    if (subject) return this.#ofSubject(tenant, subject, nowMs);
    const name = nameOf(tenant, keyId);
    const known = this.#known.get(name);
    const ageMs = known ? nowMs - known.fetchedAtMs : Number.POSITIVE_INFINITY;
    // A negative age: the clock was set back.
    if (known?.verdict.ok && ageMs >= 0 && ageMs < this.#lifeMs) {
      if (nowMs < known.verdict.principal.expiresAtMs) return known.verdict;
    }
    return this.#lookup.find(name, nowMs);
  }

  findAnew(tenant: string, keyId: string, nowMs: number, subject?: TokenSubject): Promise<Verdict> {
    if (subject) return this.#ofSubject(tenant, subject, nowMs);
    const name = nameOf(tenant, keyId);
    this.#known.delete(name);
    return this.#lookup.find(name, nowMs);
  }

  #judge(
    name: string,
    answer: FoundAnswer,
    nowMs: number,
    termsOf: ReturnType<typeof termsWithoutRecord>,
  ): Verdict {
    const { data } = this.#parts;
    if (!answer.ok) return refused(keyCannotBeChecked(answer.failure.cause));
    if (!answer.value) {
      if (!data.isTrusted())
        return refused(keyCannotBeChecked('the data of the installation may be missing'));
      return refused(invalidKey(`unknown ${name.slice(name.indexOf('/') + 1)}`));
    }
    const { stored } = answer.value;
    if (data.isRevoked(stored.id)) return refused(invalidKey(`revoked ${stored.id}`));
    return judgeOwner(answer.value, nowMs, termsOf);
  }

  #remember(name: string, owner: KnownOwner): void {
    this.#known.delete(name);
    if (this.#known.size >= KNOWN_MAX) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(name, owner);
  }
}

/** Neither holds a slash. */
function nameOf(tenant: string, keyId: string): string {
  return `${tenant}/${keyId}`;
}

function refused(refusal: Extract<Verdict, { ok: false }>['refusal']): Verdict {
  return { ok: false, refusal };
}
