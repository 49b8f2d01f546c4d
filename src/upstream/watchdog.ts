export interface Limits {
  readonly first_byte_ms: number;
  readonly idle_ms: number;
  readonly total_ms: number;
}

export type Expired = 'first_byte' | 'idle' | 'total';

/** What is due is noticed at most this much later. */
const LOOK_EVERY_MS = 20;

/**
 * Looks at all open watchdogs in turn, with one timer for as long as there are any. A timer for each call costs more
 * to make and to take back than a place in this array, because nearly every call ends long before its first limit.
 */
export class Watch {
  readonly #open: Watchdog[] = [];
  #timer: NodeJS.Timeout | undefined;

  add(watchdog: Watchdog): void {
    watchdog.slot = this.#open.push(watchdog) - 1;
    this.#timer ??= setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }

  /** The timer is left alone: it finds out by itself that nothing is open. */
  remove(watchdog: Watchdog): void {
    const last = this.#open.pop();
    if (!last || last === watchdog) return;
    this.#open[watchdog.slot] = last;
    last.slot = watchdog.slot;
  }

  #look(): void {
    const nowMs = performance.now();
    // From behind, because one that has expired is removed, and the last one, which has been looked at, takes its slot.
    for (let at = this.#open.length - 1; at >= 0; at -= 1) this.#open[at]?.look(nowMs);
    this.#timer = this.#open.length > 0 ? setTimeout(() => this.#look(), LOOK_EVERY_MS) : undefined;
  }
}

/** The time limits of one call. Progress, which comes with every token, only writes down a time. */
export class Watchdog {
  readonly #watch: Watch;
  readonly #limits: Limits;
  readonly #expired: (what: Expired) => void;
  /** Called after `quietMs` without progress, and again after each further such time, once it has been set. */
  #quiet: { everyMs: number; tell: () => void } | undefined;
  readonly #startedAtMs: number;
  #phase: 'first_byte' | 'idle' = 'first_byte';
  #progressAtMs: number;
  #spokenAtMs: number;
  /** Where it stands in its watch; -1: no longer. */
  slot = -1;

  constructor(watch: Watch, limits: Limits, nowMs: number, expired: (what: Expired) => void) {
    this.#watch = watch;
    this.#limits = limits;
    this.#expired = expired;
    this.#startedAtMs = nowMs;
    this.#progressAtMs = nowMs;
    this.#spokenAtMs = nowMs;
    watch.add(this);
  }

  /** Bytes have come, or have gone out again to a caller who had stopped reading. */
  progress(nowMs: number): void {
    this.#progressAtMs = nowMs;
    this.#spokenAtMs = nowMs;
    this.#phase = 'idle';
  }

  /** After it has expired: its phase begins anew. */
  restart(nowMs: number): void {
    this.#progressAtMs = nowMs;
    this.#watch.add(this);
  }

  whenQuiet(everyMs: number, tell: () => void): void {
    this.#quiet = { everyMs, tell };
  }

  stop(): void {
    if (this.slot < 0) return;
    this.#watch.remove(this);
    this.slot = -1;
  }

  /** Called by its watch; an expired limit ends it. */
  look(nowMs: number): void {
    const totalAtMs = this.#startedAtMs + this.#limits.total_ms;
    const limitAtMs = this.#limitAtMs;
    // Both may have passed since the last look: the earlier one is the reason.
    if (nowMs >= Math.min(totalAtMs, limitAtMs)) {
      return this.#expire(limitAtMs < totalAtMs ? this.#phase : 'total');
    }
    if (this.#quiet && nowMs >= this.#spokenAtMs + this.#quiet.everyMs) {
      this.#spokenAtMs = nowMs;
      this.#quiet.tell();
    }
  }

  get #limitAtMs(): number {
    return this.#progressAtMs + (this.#phase === 'idle' ? this.#limits.idle_ms : this.#limits.first_byte_ms);
  }

  #expire(what: Expired): void {
    this.stop();
    this.#expired(what);
  }
}
