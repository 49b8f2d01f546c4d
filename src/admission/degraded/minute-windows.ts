/**
 * Windows of a minute in this process, one for each key, of which each begins with its first call. Several are taken
 * from together, all or nothing.
 */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

const WINDOW_SECONDS = 60;
/** What is taken above a whole share lengthens the window; what exceeds this is forgiven. */
const WINDOW_SECONDS_MAX = 2 * WINDOW_SECONDS;
const LIMITERS_KEPT = 1_000;

export interface Need {
  readonly key: string;
  /** Points of a minute, at least 1. */
  readonly share: number;
  /** Above the share: granted where nothing has been taken yet, and the window lasts longer in proportion. */
  readonly amount: number;
}

/** Points that were taken, and of which window. */
export interface Taken {
  readonly need: Need;
  readonly points: number;
  readonly windowEndMs: number;
}

export interface NotTaken {
  /** Where the wait is longest. */
  readonly need: Need;
  readonly waitMs: number;
}

interface Limiter {
  readonly windows: RateLimiterMemory;
  usedAtMs: number;
}

export class MinuteWindows {
  /** A limiter has one number of points for all its keys. */
  readonly #byShare = new Map<number, Limiter>();

  async take(needs: readonly Need[]): Promise<readonly Taken[] | NotTaken> {
    const tried = await Promise.all(needs.map((need) => this.#consume(need)));
    const refused = tried.filter(({ granted }) => !granted);
    if (refused.length === 0) {
      for (const { taken } of tried) this.#lengthen(taken);
      return tried.map(({ taken }) => taken);
    }
    // A limiter counts what it refuses too.
    for (const { taken } of tried) this.put(taken, -taken.points);
    const longest = refused.reduce((one, other) => (other.waitMs > one.waitMs ? other : one));
    return { need: longest.taken.need, waitMs: longest.waitMs };
  }

  /** Takes more, of the window as it is now; or gives back what is negative, unless that window has ended. */
  put({ need, windowEndMs }: Taken, points: number): void {
    const { windows } = this.#limiterOf(need.share);
    if (points > 0) void windows.penalty(need.key, Math.min(points, need.share));
    else if (points < 0 && Date.now() < windowEndMs) void windows.reward(need.key, -points);
  }

  async #consume(need: Need): Promise<{ taken: Taken; granted: boolean; waitMs: number }> {
    const points = Math.min(need.amount, need.share);
    const outcome: unknown = await this.#limiterOf(need.share)
      .windows.consume(need.key, points)
      .catch((reason: unknown) => ({ refused: reason }));
    const granted = outcome instanceof RateLimiterRes;
    const window = granted ? outcome : Object(outcome).refused;
    // Anything else than its own answer is a fault and no refusal.
    if (!(window instanceof RateLimiterRes)) throw window;
    const windowEndMs = Date.now() + window.msBeforeNext;
    return { taken: { need, points, windowEndMs }, granted, waitMs: window.msBeforeNext };
  }

  #lengthen({ need: { key, share, amount } }: Taken): void {
    if (amount <= share) return;
    const seconds = Math.min((WINDOW_SECONDS * amount) / share, WINDOW_SECONDS_MAX);
    void this.#limiterOf(share).windows.set(key, share, seconds);
  }

  #limiterOf(share: number): Limiter {
    const nowMs = Date.now();
    let limiter = this.#byShare.get(share);
    if (!limiter) {
      if (this.#byShare.size >= LIMITERS_KEPT) this.#forgetUnused(nowMs);
      limiter = {
        windows: new RateLimiterMemory({ keyPrefix: '', points: share, duration: WINDOW_SECONDS }),
        usedAtMs: nowMs,
      };
      this.#byShare.set(share, limiter);
    }
    limiter.usedAtMs = nowMs;
    return limiter;
  }

  /** All their windows have ended. */
  #forgetUnused(nowMs: number): void {
    for (const [share, { usedAtMs }] of this.#byShare) {
      if (nowMs - usedAtMs > WINDOW_SECONDS_MAX * 1_000) this.#byShare.delete(share);
    }
  }
}
