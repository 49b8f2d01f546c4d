/**
 * How long an ejected server is out: five seconds, and twice as long with every ejection that follows soon, up to a
 * minute. Each half minute of good conduct makes one ejection forgotten.
 */
const SHORTEST_MS = 5_000;
const LONGEST_MS = 60_000;
const LONGEST_BY_PROBES_MS = 8_000;
const FORGOTTEN_AFTER_MS = 30_000;

export class Hold {
  untilMs = Number.NEGATIVE_INFINITY;
  /** Ejections that are not forgotten. */
  #strikes = 0;

  /** @param byProbes who will also see the server healed, so that little has to be waited for */
  begin(byProbes: boolean, returnedAtMs: number, nowMs: number): void {
    const forgotten = Math.floor((nowMs - returnedAtMs) / FORGOTTEN_AFTER_MS);
    this.#strikes = Math.max(0, this.#strikes - forgotten) + 1;
    const longestMs = byProbes ? LONGEST_BY_PROBES_MS : LONGEST_MS;
    this.untilMs = nowMs + Math.min(SHORTEST_MS * 2 ** (this.#strikes - 1), longestMs);
  }

  /** A trial has failed. */
  prolong(nowMs: number): void {
    this.untilMs = nowMs + SHORTEST_MS;
  }
}
