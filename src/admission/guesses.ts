/**
 * Guesses at keys. Each look-up that finds no key counts against the network that it came from; a network with too
 * many of them within a minute has no unknown key looked up until that minute is over.
 *
 * Failures count, not look-ups: a whole office whose keys are new to a replica that has just started is behind one
 * address, and none of its keys is a guess. The price is that look-ups which were under way when the limit was
 * reached still count: at most `limit - 1 + ` what may be under way at once. And the same wrong key over and over is
 * one guess, so that one forgotten script does not lock its neighbours' new keys out.
 *
 * Each replica counts for itself: in a cluster a network has replicas × limit. The limit protects Redis, and keys
 * that were brought along and are short; a key that was made here has 178 random bits. It cannot slow down guesses
 * at keys that are in memory, since those are served to everybody.
 *
 * Memory is bounded, so a flood of networks has to push some out. Those that are blocked go last: one is let go
 * early only when as many others as are kept have each used up the limit, which is worth more than what it gains.
 */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Logger } from '../telemetry/log.ts';
import { UnknownKeys } from './keys/unknown-keys.ts';

const MINUTE_MS = 60_000;
const NETWORKS_MAX = 10_000;

interface GuessesParts {
  /** Failed look-ups of one network in a minute; 0: any number. */
  readonly perMinute: number;
  readonly log: Logger;
  readonly networksMax?: number;
}

export class Guesses {
  readonly #perMinute: number;
  readonly #log: Logger;
  readonly #networksMax: number;
  readonly #counter: RateLimiterMemory;
  readonly #counted = new UnknownKeys(MINUTE_MS);
  /** Network → end of its minute, oldest first. */
  readonly #watched = new Map<string, number>();
  readonly #blocked = new Map<string, number>();

  constructor({ perMinute, log, networksMax = NETWORKS_MAX }: GuessesParts) {
    this.#perMinute = perMinute;
    this.#log = log;
    this.#networksMax = networksMax;
    this.#counter = new RateLimiterMemory({ points: perMinute, duration: MINUTE_MS / 1_000, keyPrefix: '' });
  }

  /** How many networks are remembered. */
  get size(): number {
    return this.#watched.size + this.#blocked.size;
  }

  /** For how long this network may have no unknown key looked up; 0: it may. */
  blockedMs(network: string, nowMs: number): number {
    const leftMs = (this.#blocked.get(network) ?? nowMs) - nowMs;
    return leftMs > 0 && leftMs <= MINUTE_MS ? leftMs : 0; // more than that: the clock was set back
  }

  /** A look-up of this digest for this network has found nothing. */
  async failed(network: string, digest: string, nowMs: number): Promise<void> {
    if (this.#perMinute === 0 || this.#counted.has(digest, nowMs)) return;
    this.#counted.add(digest, nowMs);
    const { remainingPoints, msBeforeNext } = await this.#count(network);
    if (remainingPoints > 0) this.#watch(network, nowMs + msBeforeNext, nowMs);
    else this.#block(network, nowMs + msBeforeNext, nowMs);
  }

  /** It rejects with the same value where the limit was passed already, and with an Error where it failed. */
  async #count(network: string): Promise<RateLimiterRes> {
    try {
      return await this.#counter.consume(network);
    } catch (rejected) {
      if (rejected instanceof RateLimiterRes) return rejected;
      throw rejected;
    }
  }

  #watch(network: string, untilMs: number, nowMs: number): void {
    const knownUntilMs = this.#watched.get(network);
    if (knownUntilMs !== undefined && knownUntilMs > nowMs) return;
    this.#forget(network);
    this.#makeRoom(nowMs);
    this.#watched.set(network, untilMs);
  }

  #block(network: string, untilMs: number, nowMs: number): void {
    if (this.blockedMs(network, nowMs) > 0) return;
    this.#forget(network);
    this.#makeRoom(nowMs);
    this.#blocked.set(network, untilMs);
    this.#log.warn(
      { address: network, failed_lookups: this.#perMinute, for_ms: untilMs - nowMs },
      'too many unknown keys: none that is new here is looked up for this address',
    );
  }

  #makeRoom(nowMs: number): void {
    for (const networks of [this.#watched, this.#blocked]) {
      for (const [network, untilMs] of networks) {
        if (untilMs > nowMs) break;
        networks.delete(network);
      }
    }
    while (this.size >= this.#networksMax) {
      const [oldest] = this.#watched.size > 0 ? this.#watched.keys() : this.#blocked.keys();
      if (oldest === undefined) return;
      this.#forget(oldest);
      void this.#counter.delete(oldest);
    }
  }

  #forget(network: string): void {
    this.#watched.delete(network);
    this.#blocked.delete(network);
  }
}
