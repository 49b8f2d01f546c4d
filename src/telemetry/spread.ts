import { Histogram, type Registry } from 'prom-client';
import { labelsOf } from './tally.ts';

export interface SpreadOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** Upper bounds, rising. */
  readonly buckets: readonly number[];
}

interface LabelSet {
  readonly labels: Readonly<Record<string, string>>;
  /** One more than there are bounds. */
  readonly counts: number[];
  sum: number;
}

interface Row {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly sharedLabels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * A histogram that is filled with `add`, at a tenth of the price of `observe`, and writes the same text. Label sets are
 * kept by their words, as in a `Tally`.
 */
export class Spread extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #labelNames: readonly string[];
  readonly #bounds: readonly number[];
  readonly #marks: readonly { readonly le: number | string }[];
  readonly #sets = new Map<string, LabelSet>();

  constructor(registry: Registry, { name, help, labelNames, buckets }: SpreadOptions) {
    super({ name, help, labelNames: [...labelNames], buckets: [...buckets], registers: [registry] });
    this.#name = name;
    this.#help = help;
    this.#labelNames = labelNames;
    this.#bounds = buckets;
    this.#marks = [...buckets, '+Inf'].map((le) => ({ le }));
    if (labelNames.length === 0) this.#begin('');
  }

  /** @param words label values from closed sets, separated by spaces */
  add(words: string, value: number): void {
    const set = this.#sets.get(words) ?? this.#begin(words);
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at += 1;
    set.counts[at] = (set.counts[at] as number) + 1;
    set.sum += value;
  }

  /** So that it is there, with 0, before the first value comes. */
  begin(words: string): void {
    if (!this.#sets.has(words)) this.#begin(words);
  }

  #begin(words: string): LabelSet {
    const counts = new Array<number>(this.#marks.length).fill(0);
    const set = { labels: labelsOf(this.#labelNames, words), counts, sum: 0 };
    this.#sets.set(words, set);
    return set;
  }

  /** What the registry asks a histogram for. */
  async getForPromString(): Promise<object> {
    const values: Row[] = [];
    for (const set of this.#sets.values()) this.#write(set, values);
    return { name: this.#name, help: this.#help, type: 'histogram', values };
  }

  #write({ labels: sharedLabels, counts, sum }: LabelSet, rows: Row[]): void {
    let count = 0;
    for (const [index, labels] of this.#marks.entries()) {
      count += counts[index] as number;
      rows.push({ metricName: `${this.#name}_bucket`, labels, sharedLabels, value: count });
    }
    rows.push({ metricName: `${this.#name}_sum`, labels: {}, sharedLabels, value: sum });
    rows.push({ metricName: `${this.#name}_count`, labels: {}, sharedLabels, value: count });
  }
}
