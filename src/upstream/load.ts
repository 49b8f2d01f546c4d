/**
 * How much a GPU server has to do at once, and what part of its time a call has therefore had: of two calls that run
 * side by side each has half. Times are `performance.now()`.
 */
export class Load {
  /** Calls of this replica. */
  inFlight = 0;
  /** Calls of the other replicas, as they last said. */
  others = 0;
  /** Calls × milliseconds since the beginning. */
  #area = 0;
  #atMs = 0;

  /** The area so far, from which `end` counts. */
  begin(nowMs: number): number {
    this.#advance(nowMs);
    this.inFlight += 1;
    return this.#area;
  }

  /** Mean number of calls, of all replicas, since `beginArea`; at least 1. */
  end(beginArea: number, beganAtMs: number, nowMs: number): number {
    this.#advance(nowMs);
    this.inFlight -= 1;
    const elapsedMs = nowMs - beganAtMs;
    return elapsedMs > 0 ? Math.max(1, (this.#area - beginArea) / elapsedMs) : 1;
  }

  setOthers(count: number, nowMs: number): void {
    this.#advance(nowMs);
    this.others = count;
  }

  #advance(nowMs: number): void {
    this.#area += (this.inFlight + this.others) * Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
  }
}
