/** Counts that come with every call. prom-client looks its labels up for each; this does when Prometheus asks. */
export class Tally {
  #counts = new Map<string, number>();

  /** @param words label values from a closed set, separated by spaces */
  count(words: string): void {
    this.#counts.set(words, (this.#counts.get(words) ?? 0) + 1);
  }

  /** What has been counted since the last time. */
  take(): ReadonlyMap<string, number> {
    const counts = this.#counts;
    this.#counts = new Map();
    return counts;
  }
}
