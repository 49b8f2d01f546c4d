import { Counter, Gauge, type Registry } from 'prom-client';
import { Spread } from './spread.ts';
import { labelsOf, Tally } from './tally.ts';

type Labels = Readonly<Record<string, string>>;
/** Says one value; a label that is left out is not there. */
export type Put = (labels: Labels, value: number) => void;

/** Puts metrics into a registry. Their names and labels are in METRICS.md, which a test holds to it. */
export class MetricMaker {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** For what is rare: it is there with 0 from the beginning. */
  counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.#registry] });
  }

  /** For what comes with every call. @param labelNames of the words that it is counted by */
  tally(name: string, help: string, labelNames: readonly string[]): Tally {
    const tally = new Tally();
    this.counters(name, help, labelNames, (put) => {
      for (const [words, sum] of tally.sums) put(labelsOf(labelNames, words), sum);
    });
    return tally;
  }

  spread(name: string, help: string, labelNames: readonly string[], buckets: readonly number[]): Spread {
    return new Spread(this.#registry, { name, help, labelNames, buckets });
  }

  /** @param read sums since the beginning */
  counters(name: string, help: string, labelNames: readonly string[], read: (put: Put) => void): void {
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        this.reset();
        read((labels, sum) => this.inc(labels, sum));
      },
    });
  }

  /** @param read undefined: there is nothing to say, so it is absent */
  gauge(name: string, help: string, read: () => number | undefined): void {
    this.gauges(name, help, [], (put) => {
      const value = read();
      if (value !== undefined) put({}, value);
    });
  }

  /** What is not put is absent: a reload of the configuration may have taken it away. */
  gauges(name: string, help: string, labelNames: readonly string[], read: (put: Put) => void): void {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        this.reset();
        // Without labels it would say 0 now.
        if (labelNames.length === 0) this.remove();
        read((labels, value) => this.set(labels, value));
      },
    });
  }
}
