/**
 * The way in for callers with a token of an identity provider:
 *
 *     token → seen lately? → issuer → signature and claims (token-check.ts) → subject → its tenant, as for a key
 *
 * What a token says holds as long as it lives; what the tenant may do is looked up as for keys, with the same memory, the
 * same messages and the same grace while Redis is away.
 */
import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Config } from '../../config/schema.ts';
import type { Refusal } from '../../core/errors.ts';
import type { RedisConnection } from '../../redis/connection.ts';
import { parseInvalidation } from '../../redis/key-records.ts';
import { keyTable } from '../../redis/key-table.ts';
import type { Subscription } from '../../redis/subscription.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { LookupOutcome } from '../authenticate.ts';
import { Guesses } from '../guesses.ts';
import type { CachedKey } from '../keys/key-cache.ts';
import type { DataInRedis, Fetched } from '../keys/key-memory.ts';
import { invalidKey } from '../keys/key-refusals.ts';
import type { Verdict } from '../verdict.ts';
import { type Fetch, RemoteKeys, sharedSecret } from './issuer-keys.ts';
import { subjectMemory } from './subject-memory.ts';
import type { Issuer } from './token-check.ts';
import { claimedIssuer, presentedToken, TOKEN_BYTES_MAX } from './token-form.ts';
import { type KnownToken, TokenMemory } from './token-memory.ts';
import { type Question, TokenVerifier } from './token-verifier.ts';

type JwtConfig = NonNullable<Config['auth']['jwt']>;

/** As far as a request is looked at. */
export interface TokenRequest {
  readonly headers: IncomingHttpHeaders;
  readonly call: { readonly clientAddress: string };
}

interface TokenWayParts {
  readonly jwt: JwtConfig;
  readonly config: Pick<Config, 'auth' | 'keys' | 'defaults' | 'tenants'>;
  readonly redis: RedisConnection;
  readonly data: DataInRedis;
  readonly fetch: Fetch;
  /** Called once for each token, on the hot path. */
  readonly onLookup?: ((outcome: LookupOutcome) => void) | undefined;
  readonly log: Logger;
}

/** A shorter text may be a key that was brought along, and is looked for as one where no issuer is known for it. */
const KEY_LENGTH_MAX = 256;

export class TokenWay {
  readonly #parts: TokenWayParts;
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #tokens: TokenMemory;
  readonly #owners: ReturnType<typeof subjectMemory>;
  readonly #verifier: TokenVerifier;
  #subscription: Subscription | undefined;

  constructor(parts: TokenWayParts) {
    const { jwt, config, redis, data, log } = parts;
    this.#parts = parts;
    this.#issuers = new Map(jwt.issuers.map((one) => [one.issuer, issuerOf(parts, one)]));
    this.#tokens = new TokenMemory(jwt.cached_max);
    this.#owners = subjectMemory({ config, table: keyTable(redis), data, log, countMax: jwt.cached_max });
    const guesses = new Guesses({ perMinute: config.keys.failed_lookups_per_minute, log });
    this.#verifier = new TokenVerifier({ tokens: this.#tokens, plans: jwt.plans, guesses });
  }

  start(): void {
    const { redis } = this.#parts;
    for (const { keys } of this.#issuers.values()) keys.start();
    this.#subscription = redis.subscribe(redis.keys.invalidations(), {
      subscribed: () => this.#owners.doubtEverything(),
      received: (message) => {
        const change = parseInvalidation(message);
        if (change) this.#owners.forget(change);
        else this.#owners.doubtEverything();
      },
    });
  }

  stop(): void {
    this.#subscription?.close();
    for (const { keys } of this.#issuers.values()) keys.stop();
  }

  /** Undefined: it brings no token. A promise where a token has to be verified, or Redis to be asked. */
  identify(request: TokenRequest, nowMs: number): Verdict | Promise<Verdict> | undefined {
    const token = presentedToken(request.headers.authorization);
    if (token === undefined) return undefined;
    if (token.length > TOKEN_BYTES_MAX) return this.#refuse('unseen', invalidKey('token: too long'));
    const digest = digestOf(token);
    const known = this.#tokens.get(digest);
    if (known && known.generation === known.issuer.keys.generation) return this.#admit(known, nowMs);
    const claimed = claimedIssuer(token);
    if (!claimed) return undefined;
    const issuer = claimed.issuer === undefined ? undefined : this.#issuers.get(claimed.issuer);
    if (issuer) {
      const address = request.call.clientAddress;
      return this.#verify({ token, digest, issuer, address, nowMs, wasGood: known !== undefined });
    }
    if (token.length <= KEY_LENGTH_MAX) return undefined;
    return this.#refuse('unseen', invalidKey('token: unknown issuer'));
  }

  /** For a request that came in with a token: asks Redis for its tenant. */
  async identifyAnew(request: TokenRequest, nowMs: number): Promise<Verdict> {
    const token = presentedToken(request.headers.authorization) ?? '';
    const known = this.#tokens.get(digestOf(token));
    if (known) return this.#conclude(known, await this.#owners.fetch(known.owner, nowMs), nowMs);
    return this.identify(request, nowMs) ?? this.#refuse('unseen', invalidKey('token: gone'));
  }

  #verify(question: Question): Verdict | Promise<Verdict> {
    const verified = this.#verifier.verify(question);
    if (!(verified instanceof Promise)) return this.#refuse(verified.outcome, verified.refusal);
    return verified.then((found) => {
      if ('digest' in found) return this.#admit(found, question.nowMs);
      return this.#refuse(found.name === 'store_unavailable' ? 'unavailable' : 'unseen', found);
    });
  }

  /** A token that was verified: it may have ended, and its tenant may not be what it was. */
  #admit(token: KnownToken, nowMs: number): Verdict | Promise<Verdict> {
    const owner = this.#owners.recall(token.owner, nowMs);
    if (owner !== undefined && (owner !== 'unknown' || this.#parts.data.isTrusted())) {
      return this.#conclude(token, owner, nowMs, 'memory');
    }
    return this.#owners.fetch(token.owner, nowMs).then((found) => this.#conclude(token, found, nowMs));
  }

  #conclude(token: KnownToken, owner: Fetched, nowMs: number, source: LookupOutcome = 'redis'): Verdict {
    if (nowMs >= token.endsAtMs) {
      this.#tokens.drop(token.digest);
      return this.#refuse(source, invalidKey(`token: expired ${token.subject.id}`));
    }
    if (owner === 'unknown')
      return this.#refuse(source, invalidKey(`token: no such tenant ${token.subject.id}`));
    if (!('digest' in owner)) return this.#refuse('unavailable', owner);
    this.#parts.onLookup?.(owner.retryAtMs > 0 ? 'grace' : source);
    if (token.known !== owner || token.verdict === undefined) {
      token.known = owner;
      token.verdict = verdictOn(token, owner);
    }
    return token.verdict;
  }

  #refuse(outcome: LookupOutcome, refusal: Refusal): Verdict {
    this.#parts.onLookup?.(outcome);
    return { ok: false, refusal };
  }
}

function verdictOn({ subject, endsAtMs }: KnownToken, { verdict }: CachedKey): Verdict {
  if (!verdict.ok) return verdict;
  return { ok: true, principal: { ...verdict.principal, expiresAtMs: endsAtMs, subject } };
}

/** Only this process knows it, so a plain hash will do. */
function digestOf(token: string): string {
  return hash('sha256', token, 'base64url');
}

function issuerOf({ jwt, fetch, log }: TokenWayParts, config: JwtConfig['issuers'][number]): Issuer {
  if (config.secret !== undefined) return { config, keys: sharedSecret(config.secret) };
  const keys = new RemoteKeys({
    issuer: config.issuer,
    jwksUrl: config.jwks_url,
    refreshMs: jwt.refresh_seconds * 1_000,
    staleMs: jwt.stale_seconds * 1_000,
    now: () => performance.now(),
    ...{ fetch, log },
  });
  return { config, keys };
}
