const WINDOW_MS = 60_000;
/** Nothing was seen. All that is seen is 0 or more. */
const NONE = -1;

/**
 * The largest values seen in the minute that runs and in the one before. A gauge of the last value would say what the
 * last call met by chance, and one that each scrape resets would tell two Prometheus servers half of it each.
 */
export class RecentMost {
  readonly #size: number;
  readonly #now: () => number;
  #current = new Map<string, Float64Array>();
  #before: ReadonlyMap<string, Float64Array> = new Map();
  #beganAtMs: number;

  /** @param now milliseconds that never step back */
  constructor(size: number, now: () => number) {
    this.#size = size;
    this.#now = now;
    this.#beganAtMs = now();
  }

  /** To be raised at once; not to be kept. */
  of(name: string): Float64Array {
    this.#turn();
    let most = this.#current.get(name);
    if (!most) {
      most = this.#empty();
      this.#current.set(name, most);
    }
    return most;
  }

  /** By name; negative where nothing was seen. */
  *read(): Generator<[string, Float64Array]> {
    this.#turn();
    for (const name of new Set([...this.#current.keys(), ...this.#before.keys()])) {
      const [now, before] = [this.#current.get(name), this.#before.get(name)];
      yield [
        name,
        this.#empty().map((none, index) => Math.max(now?.[index] ?? none, before?.[index] ?? none)),
      ];
    }
  }

  #turn(): void {
    const elapsedMs = this.#now() - this.#beganAtMs;
    if (elapsedMs < WINDOW_MS) return;
    this.#before = elapsedMs < 2 * WINDOW_MS ? this.#current : new Map();
    this.#current = new Map();
    this.#beganAtMs += Math.floor(elapsedMs / WINDOW_MS) * WINDOW_MS;
  }

  #empty(): Float64Array {
    return new Float64Array(this.#size).fill(NONE);
  }
}
