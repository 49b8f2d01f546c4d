/** Who is calling? A key that was seen lately is answered from memory, at once; Redis is asked for others only. */
import type { Config } from '../config/schema.ts';
import type { Refusal } from '../core/errors.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { parseInvalidation } from '../redis/key-records.ts';
import { keyTable } from '../redis/key-table.ts';
import { keyUseTable } from '../redis/key-use-table.ts';
import type { Subscription } from '../redis/subscription.ts';
import type { Logger } from '../telemetry/log.ts';
import { GuardedLookups } from './guarded-lookups.ts';
import { Guesses } from './guesses.ts';
import { environmentKeys } from './keys/environment-keys.ts';
import { ForeignForms } from './keys/foreign-forms.ts';
import type { CachedKey } from './keys/key-cache.ts';
import { type KeyDigest, keyDigest } from './keys/key-digest.ts';
import { generatedKeyId, KEY_PREFIX, presentableKeyPattern } from './keys/key-format.ts';
import { type DataInRedis, type Fetched, KeyMemory } from './keys/key-memory.ts';
import { invalidKey, keyCannotBeChecked, missingKey } from './keys/key-refusals.ts';
import { KeyUses } from './keys/key-uses.ts';
import { termsWithoutRecord } from './keys/tenant-terms.ts';
import { SignerLookups } from './signatures/signer-lookups.ts';
import type { Signers } from './signatures/verifier.ts';
import type { Verdict } from './verdict.ts';

export type { Verdict } from './verdict.ts';

/**
 * Where the answer came from: `memory`; `grace` (memory, because Redis is away); `redis`; `unseen` (refused
 * without asking: missing or malformed); `unavailable` (Redis is away and the key is not known here); `limited`
 * (not asked, because too many unknown keys came from this address); `crowded` (not asked, because too many keys
 * are being looked up for the first time).
 */
export type LookupOutcome = 'memory' | 'grace' | 'redis' | 'unseen' | 'unavailable' | 'limited' | 'crowded';

export interface Authenticator {
  /**
   * A promise only when Redis has to be asked.
   * @param presented as `presentedKey` returns it
   * @param address of the caller
   * @param nowMs wall clock
   */
  authenticate(presented: string | undefined, address: string, nowMs: number): Verdict | Promise<Verdict>;
  /** For a key that was accepted lately but whose record is known to be old: asks Redis. */
  authenticateAnew(presented: string, address: string, nowMs: number): Promise<Verdict>;
  /** Begins to listen for changes. Works before Redis is there. */
  start(): void;
  /** Writes down the last uses; settles within the command time-out. */
  stop(): Promise<void>;
  /** The same for signing keys. */
  readonly signers: Signers;
  /** When keys were last used, for those who find them in another way. */
  readonly uses: KeyUses;
}

interface AuthenticatorParts {
  readonly redis: RedisConnection;
  readonly config: Pick<Config, 'keys' | 'secret' | 'defaults' | 'tenants'>;
  readonly log: Logger;
  readonly data: DataInRedis;
  /** Called once for each call of `authenticate`, on the hot path. */
  readonly onLookup?: (outcome: LookupOutcome) => void;
}

/** A key that may have to be looked up: who brings it, and when. */
interface Question {
  readonly presented: string;
  readonly digest: string;
  readonly address: string;
  readonly nowMs: number;
}

export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  return new CachingAuthenticator(parts);
}

class CachingAuthenticator implements Authenticator {
  readonly #parts: AuthenticatorParts;
  readonly #digestOf: KeyDigest;
  readonly #environment: ReadonlyMap<string, unknown>;
  readonly #memory: KeyMemory;
  readonly #lookups: GuardedLookups;
  readonly uses: KeyUses;
  readonly signers: Signers;
  readonly #forms: ForeignForms;
  #subscription: Subscription | undefined;
  #formsTimer: NodeJS.Timeout | undefined;

  constructor(parts: AuthenticatorParts) {
    const { redis, config, log } = parts;
    const table = keyTable(redis);
    const digestOf = keyDigest(config.secret);
    const environment = environmentKeys(config.keys.environment, digestOf, config.defaults.key);
    this.#parts = parts;
    this.uses = new KeyUses({ table: keyUseTable(redis), countMax: config.keys.cached_max, log });
    this.#digestOf = digestOf;
    this.#environment = environment;
    this.#memory = new KeyMemory({
      table,
      limits: config.keys,
      environment,
      termsWithoutRecord: termsWithoutRecord(config),
      useOf: (tenant, keyId) => this.uses.of(tenant, keyId),
      data: parts.data,
      log,
    });
    this.#lookups = new GuardedLookups({
      memory: this.#memory,
      guesses: new Guesses({ perMinute: config.keys.failed_lookups_per_minute, log }),
      canBeAsked: () => redis.state() === 'ok' && parts.data.isTrusted(),
      isNamed: (digest) => environment.has(digest),
      foundMax: config.keys.cached_max,
    });
    this.#forms = new ForeignForms(table, log);
    this.signers = new SignerLookups({
      memory: this.#memory,
      lookups: this.#lookups,
      digestOf,
      isDataTrusted: () => parts.data.isTrusted(),
      onLookup: parts.onLookup,
    });
  }

  start(): void {
    const { redis, config } = this.#parts;
    this.#subscription = redis.subscribe(redis.keys.invalidations(), {
      subscribed: () => this.#doubtEverything(),
      received: (message) => this.#changed(message),
    });
    this.#formsTimer = setInterval(() => this.#forms.load(), config.keys.cache_seconds * 1_000).unref();
    this.uses.start();
  }

  async stop(): Promise<void> {
    this.#subscription?.close();
    clearInterval(this.#formsTimer);
    await this.uses.stop();
  }

  async authenticateAnew(presented: string, address: string, nowMs: number): Promise<Verdict> {
    return this.#ask({ presented, digest: this.#digestOf(presented), address, nowMs });
  }

  authenticate(presented: string | undefined, address: string, nowMs: number): Verdict | Promise<Verdict> {
    if (presented === undefined) return this.#refuse('unseen', missingKey);
    if (!presentableKeyPattern.test(presented)) return this.#refuse('unseen', invalidKey('malformed'));
    const digest = this.#digestOf(presented);
    const recalled = this.#memory.recall(digest, nowMs);
    if (recalled === 'unknown' && this.#parts.data.isTrusted()) {
      return this.#refuse('memory', unknownKey(presented));
    }
    if (recalled && recalled !== 'unknown') return this.#admit('memory', recalled, nowMs);
    return this.#ifWorthAsking({ presented, digest, address, nowMs });
  }

  /** A key with a wrong checksum, or of a form that no import has declared, never reaches Redis. */
  #ifWorthAsking(question: Question): Verdict | Promise<Verdict> {
    const { presented, digest } = question;
    const worth = this.#environment.has(digest) || this.#isOfKnownForm(presented);
    if (worth) return this.#ask(question);
    if (worth === false) return this.#refuse('unseen', invalidKey('malformed'));
    return this.#forms.load().then(() => {
      if (this.#forms.match(presented) !== undefined) return this.#ifWorthAsking(question);
      return this.#refuse('unavailable', keyCannotBeChecked('forms of imported keys are not known yet'));
    });
  }

  /** Undefined: the forms have not been read yet. */
  #isOfKnownForm(presented: string): boolean | undefined {
    if (presented.startsWith(KEY_PREFIX)) return generatedKeyId(presented) !== undefined;
    return this.#forms.match(presented);
  }

  #ask(question: Question): Verdict | Promise<Verdict> {
    const found = this.#lookups.find(question.digest, question.address, question.nowMs);
    if ('denied' in found) return this.#refuse(found.denied, found.refusal);
    return found.then((fetched) => this.#concludeFrom(fetched, question));
  }

  #concludeFrom(fetched: Fetched, { presented, nowMs }: Question): Verdict {
    if (fetched === 'unknown') return this.#refuse('redis', unknownKey(presented));
    if ('digest' in fetched) return this.#admit('redis', fetched, nowMs);
    return this.#refuse('unavailable', fetched);
  }

  /** Expiry is checked on every call. */
  #admit(source: 'memory' | 'redis', known: CachedKey, nowMs: number): Verdict {
    this.#parts.onLookup?.(known.retryAtMs > 0 ? 'grace' : source);
    return nowMs < known.endsAtMs ? known.verdict : known.verdictAfterEnd;
  }

  #refuse(outcome: LookupOutcome, refusal: Refusal): Verdict {
    this.#parts.onLookup?.(outcome);
    return { ok: false, refusal };
  }

  #changed(message: string): void {
    const change = parseInvalidation(message);
    if (change === undefined) this.#doubtEverything();
    else if (change.kind === 'forms') void this.#forms.load();
    else this.#memory.forget(change);
  }

  /** Messages were missed, or one was not understood. */
  #doubtEverything(): void {
    this.#memory.doubtEverything();
    void this.#forms.load();
  }
}

function unknownKey(presented: string): Refusal {
  const keyId = generatedKeyId(presented);
  return invalidKey(keyId ? `unknown ${keyId}` : 'unknown');
}
