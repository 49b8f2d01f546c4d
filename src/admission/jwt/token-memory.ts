/** Tokens that were checked, by their digest, so that each costs its signature once. Bounded, good ones and bad. */
import type { Refusal } from '../../core/errors.ts';
import type { TokenSubject } from '../../core/token-subject.ts';
import type { CachedKey } from '../keys/key-cache.ts';
import type { Verdict } from '../verdict.ts';
import type { Issuer } from './token-check.ts';

export interface KnownToken {
  readonly digest: string;
  readonly issuer: Issuer;
  /** Of the keys of the issuer when it was verified. */
  readonly generation: number;
  readonly endsAtMs: number;
  readonly subject: TokenSubject;
  /** By which its tenant and its rights are remembered, which tokens of one subject share. */
  readonly owner: string;
  /** What was known of the owner when `verdict` was made. */
  known: CachedKey | undefined;
  verdict: Verdict | undefined;
  /** Since the hand of the clock passed it last. */
  used: boolean;
}

/** A bad token that comes over and over is not looked at each time. */
const REFUSED_MS = 2_000;
const REFUSED_MAX = 10_000;

export class TokenMemory {
  readonly #countMax: number;
  readonly #known = new Map<string, KnownToken>();
  readonly #refused = new Map<string, { readonly refusal: Refusal; readonly atMs: number }>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get size(): number {
    return this.#known.size;
  }

  get(digest: string): KnownToken | undefined {
    const known = this.#known.get(digest);
    if (known) known.used = true;
    return known;
  }

  put(token: KnownToken): void {
    this.#known.delete(token.digest);
    while (this.#known.size >= this.#countMax) this.#evictOne();
    this.#known.set(token.digest, token);
  }

  drop(digest: string): void {
    this.#known.delete(digest);
  }

  refuse(digest: string, refusal: Refusal, nowMs: number): void {
    this.#refused.delete(digest);
    if (this.#refused.size >= REFUSED_MAX) {
      const [oldest] = this.#refused.keys();
      if (oldest !== undefined) this.#refused.delete(oldest);
    }
    this.#refused.set(digest, { refusal, atMs: nowMs });
  }

  refusalOf(digest: string, nowMs: number): Refusal | undefined {
    const refused = this.#refused.get(digest);
    const ageMs = refused ? nowMs - refused.atMs : 0;
    // A negative age: the clock was set back.
    return ageMs >= 0 && ageMs < REFUSED_MS ? refused?.refusal : undefined;
  }

  /** Second chance, as for keys. */
  #evictOne(): void {
    for (const [digest, token] of this.#known) {
      this.#known.delete(digest);
      if (!token.used) return;
      token.used = false;
      this.#known.set(digest, token);
    }
  }
}
