export interface Limits {
  readonly first_byte_ms: number;
  readonly idle_ms: number;
  readonly total_ms: number;
}

export type Expired = 'first_byte' | 'idle' | 'total';

/**
 * The time limits of one call, with a single timer that is set once. Progress, which comes with every token, only
 * writes down a time; the timer looks at it when it fires and sleeps again for what is left. So it never sleeps
 * longer than the shortest limit that may begin to count meanwhile.
 */
export class Watchdog {
  readonly #limits: Limits;
  readonly #expired: (what: Expired) => void;
  /** Called after `quietMs` without progress, and again after each further such time, once it has been set. */
  #quiet: { everyMs: number; tell: () => void } | undefined;
  readonly #startedAtMs: number;
  #phase: 'first_byte' | 'idle' = 'first_byte';
  #progressAtMs: number;
  #spokenAtMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: Limits, nowMs: number, expired: (what: Expired) => void) {
    this.#limits = limits;
    this.#expired = expired;
    this.#startedAtMs = nowMs;
    this.#progressAtMs = nowMs;
    this.#spokenAtMs = nowMs;
    this.#sleep(nowMs);
  }

  /** Bytes have come, or have gone out again to a caller who had stopped reading. */
  progress(nowMs: number): void {
    this.#progressAtMs = nowMs;
    this.#spokenAtMs = nowMs;
    this.#phase = 'idle';
  }

  whenQuiet(everyMs: number, tell: () => void): void {
    this.#quiet = { everyMs, tell };
    this.#sleep(performance.now());
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  get #limitAtMs(): number {
    return this.#progressAtMs + (this.#phase === 'idle' ? this.#limits.idle_ms : this.#limits.first_byte_ms);
  }

  #sleep(nowMs: number): void {
    clearTimeout(this.#timer);
    const idleAtMs = this.#phase === 'idle' ? this.#limitAtMs : nowMs + this.#limits.idle_ms;
    const totalAtMs = this.#startedAtMs + this.#limits.total_ms;
    const quietAtMs = this.#quiet ? this.#spokenAtMs + this.#quiet.everyMs : Number.POSITIVE_INFINITY;
    const dueAtMs = Math.min(this.#limitAtMs, idleAtMs, totalAtMs, quietAtMs);
    this.#timer = setTimeout(() => this.#look(), Math.max(1, dueAtMs - nowMs));
  }

  #look(): void {
    const nowMs = performance.now();
    this.#timer = undefined;
    if (nowMs >= this.#startedAtMs + this.#limits.total_ms) return this.#expired('total');
    if (nowMs >= this.#limitAtMs) return this.#expired(this.#phase);
    if (this.#quiet && nowMs >= this.#spokenAtMs + this.#quiet.everyMs) {
      this.#spokenAtMs = nowMs;
      this.#quiet.tell();
    }
    this.#sleep(nowMs);
  }
}
