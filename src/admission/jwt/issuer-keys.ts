/**
 * The keys by which tokens of an issuer are verified. Public ones are fetched in the background; one that a token names
 * and nobody knows is looked for once, and not again for a while, whoever asks. While the issuer is away the keys that
 * are known go on for a bounded time.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose';
import type { Logger } from '../../telemetry/log.ts';

export interface FoundVerificationKey {
  readonly key: CryptoKey | KeyObject;
  /** Of the keys among which it was found. */
  readonly generation: number;
}

export interface IssuerKeys {
  /** Grows whenever the keys have changed: what was verified before has to be verified again. */
  readonly generation: number;
  /**
   * Settles at once but where keys have to be fetched: then within two seconds.
   * @throws KeysUnavailable where nobody can tell; otherwise as jose does
   */
  find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<FoundVerificationKey>;
  start(): void;
  stop(): void;
}

/** The issuer does not answer, and its keys are not known, or too old. */
export class KeysUnavailable extends Error {}

/** What came of fetching a document. */
export type Fetch = (
  url: URL,
  bounds: { readonly isNamed: boolean; readonly signal: AbortSignal },
) => Promise<{ readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly cause: string }>;

interface RemoteKeysParts {
  readonly issuer: string;
  /** Undefined: found by discovery. */
  readonly jwksUrl: string | undefined;
  readonly refreshMs: number;
  readonly staleMs: number;
  readonly fetch: Fetch;
  /** Monotonic. */
  readonly now: () => number;
  readonly log: Logger;
}

/** Both documents together. */
const FETCH_MS = 2_000;
/** Between two searches for keys that nobody knows. */
const COOLDOWN_MS = 10_000;
/** Between two attempts to get the first keys, or such that are not too old. */
const RETRY_MS = 1_000;
const KEYS_MAX = 100;

export function sharedSecret(secret: string): IssuerKeys {
  const key = createSecretKey(Buffer.from(secret));
  const found = { key, generation: 0 };
  return { generation: 0, find: async () => found, start: () => undefined, stop: () => undefined };
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

export class RemoteKeys implements IssuerKeys {
  readonly #parts: RemoteKeysParts;
  generation = 0;
  #set: KeySet | undefined;
  #text = '';
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #searchedAtMs = Number.NEGATIVE_INFINITY;
  #underWay: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;

  constructor(parts: RemoteKeysParts) {
    this.#parts = parts;
  }

  start(): void {
    void this.#refresh();
    this.#timer = setInterval(() => void this.#refresh(), this.#parts.refreshMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<FoundVerificationKey> {
    const { now } = this.#parts;
    if (!this.#isUsable() && (this.#underWay || now() - this.#triedAtMs >= RETRY_MS)) await this.#refresh();
    if (!this.#isUsable()) throw new KeysUnavailable();
    try {
      return await this.#among(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (!this.#underWay && now() - this.#searchedAtMs < COOLDOWN_MS) throw error;
      const before = this.generation;
      if (!this.#underWay) this.#searchedAtMs = now();
      await this.#refresh();
      if (this.generation === before) throw error;
      return this.#among(header, token);
    }
  }

  async #among(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<FoundVerificationKey> {
    const { generation } = this;
    if (!this.#set) throw new KeysUnavailable();
    return { key: await this.#set(header, token), generation };
  }

  #isUsable(): boolean {
    const { refreshMs, staleMs, now } = this.#parts;
    return this.#set !== undefined && now() - this.#fetchedAtMs <= refreshMs + staleMs;
  }

  /** Never rejects; one at a time. */
  #refresh(): Promise<void> {
    this.#underWay ??= this.#read().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #read(): Promise<void> {
    const { issuer, log, now } = this.#parts;
    const begunAtMs = now();
    this.#triedAtMs = begunAtMs;
    const cause = await this.#fetch(AbortSignal.timeout(FETCH_MS));
    if (cause === undefined) this.#fetchedAtMs = begunAtMs;
    if (cause !== undefined && !this.#isFailing) {
      log.warn({ issuer, cause }, 'the keys of an issuer of tokens cannot be fetched');
    } else if (cause === undefined && this.#isFailing) {
      log.info({ issuer }, 'the keys of an issuer of tokens are there again');
    }
    this.#isFailing = cause !== undefined;
  }

  /** Why it failed. */
  async #fetch(signal: AbortSignal): Promise<string | undefined> {
    const { jwksUrl, fetch } = this.#parts;
    const found = jwksUrl === undefined ? await this.#discover(signal) : { url: jwksUrl, isNamed: true };
    if ('cause' in found) return `discovery: ${found.cause}`;
    const answer = await fetch(new URL(found.url), { isNamed: found.isNamed, signal });
    if (!answer.ok) return answer.cause;
    return this.#take(answer.value);
  }

  async #discover(
    signal: AbortSignal,
  ): Promise<{ readonly url: string; readonly isNamed: boolean } | { readonly cause: string }> {
    const { issuer, fetch } = this.#parts;
    const base = new URL(issuer);
    const url = new URL(`${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`);
    const answer = await fetch(url, { isNamed: true, signal });
    if (!answer.ok) return answer;
    const { issuer: named, jwks_uri } = Object(answer.value);
    if (named !== issuer) return { cause: 'it names another issuer' };
    if (typeof jwks_uri !== 'string' || !URL.canParse(jwks_uri)) return { cause: 'it names no jwks_uri' };
    return { url: jwks_uri, isNamed: new URL(jwks_uri).host === base.host };
  }

  #take(value: unknown): string | undefined {
    const { keys } = Object(value);
    if (!Array.isArray(keys) || keys.length > KEYS_MAX) return 'it is no list of keys';
    // Secrets are configured, never fetched.
    const publicKeys = keys.filter((key) => ['RSA', 'EC', 'OKP'].includes(Object(key).kty));
    const text = JSON.stringify(publicKeys);
    if (text === this.#text && this.#set) return undefined;
    try {
      this.#set = createLocalJWKSet({ keys: publicKeys } as JSONWebKeySet);
    } catch {
      return 'it is no list of keys';
    }
    this.#text = text;
    this.generation += 1;
    return undefined;
  }
}
