/** What happened this long ago weighs a third of what happens now. */
const MEMORY_MS = 10_000;

/**
 * How fast waiters get their place, so that one who is sent away can be told when to come back. Only time in which
 * somebody waits counts: a pool without work frees few places, and that says nothing of its speed.
 *
 * Exponentially weighted places ÷ equally weighted time. Times are milliseconds of the same clock.
 */
export class DrainRate {
  #places = 0;
  #observedMs = 0;
  /** Undefined: nobody waits. */
  #sinceMs: number | undefined;

  /** From now on somebody waits. */
  start(nowMs: number): void {
    this.#sinceMs = nowMs;
  }

  /** Nobody waits any longer. */
  pause(nowMs: number): void {
    this.#advance(nowMs);
    this.#sinceMs = undefined;
  }

  placeTaken(nowMs: number): void {
    this.#advance(nowMs);
    this.#places += 1;
  }

  /** Time until so many places will have been taken; 0 while nothing is known. */
  timeForMs(places: number, nowMs: number): number {
    this.#advance(nowMs);
    // The one place more: before the first one is free, the time without one is all that is known.
    return (places * this.#observedMs) / (this.#places + 1);
  }

  #advance(nowMs: number): void {
    if (this.#sinceMs === undefined) return;
    const kept = Math.exp(-Math.max(0, nowMs - this.#sinceMs) / MEMORY_MS);
    this.#places *= kept;
    this.#observedMs = this.#observedMs * kept + MEMORY_MS * (1 - kept);
    this.#sinceMs = nowMs;
  }
}
