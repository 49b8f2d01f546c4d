/**
 * What comes with every call is counted here, and handed to prom-client when Prometheus asks: it would look the labels
 * up for each call, at ten times the price.
 */

/** @param labelNames in the order of the words */
export function labelsOf(labelNames: readonly string[], words: string): Record<string, string> {
  if (labelNames.length === 0) return {};
  const values = words.split(' ');
  return Object.fromEntries(labelNames.map((label, index) => [label, values[index] ?? '']));
}

/** Sums by label set. */
export class Tally {
  readonly #sums = new Map<string, number>();

  /** @param words label values from closed sets, separated by spaces */
  count(words: string, by = 1): void {
    this.#sums.set(words, (this.#sums.get(words) ?? 0) + by);
  }

  /** Since the beginning. */
  get sums(): ReadonlyMap<string, number> {
    return this.#sums;
  }
}
