/** Times to the first byte that a GPU server took of late, and whether they are far from those of its peers. */

export interface LatencySummary {
  readonly count: number;
  readonly medianMs: number;
}

const KEPT = 64;
const WINDOW_MS = 30_000;

/** The last few, in a ring of fixed size. */
export class RecentLatencies {
  readonly #tookMs = new Float32Array(KEPT);
  readonly #atMs = new Float64Array(KEPT).fill(Number.NEGATIVE_INFINITY);
  #next = 0;

  add(tookMs: number, nowMs: number): void {
    this.#tookMs[this.#next] = tookMs;
    this.#atMs[this.#next] = nowMs;
    this.#next = (this.#next + 1) % KEPT;
  }

  summary(nowMs: number): LatencySummary {
    const recent = this.#tookMs.filter((_, index) => nowMs - (this.#atMs[index] ?? 0) <= WINDOW_MS).sort();
    return { count: recent.length, medianMs: recent[recent.length >> 1] ?? 0 };
  }
}

const MODELS_MAX = 100;

/** Of each model by itself: a large one takes longer everywhere. */
export class LatenciesByModel {
  readonly #byModel = new Map<string, RecentLatencies>();

  add(model: string, tookMs: number, nowMs: number): void {
    let latencies = this.#byModel.get(model);
    if (!latencies) {
      if (this.#byModel.size >= MODELS_MAX) this.#byModel.clear();
      latencies = new RecentLatencies();
      this.#byModel.set(model, latencies);
    }
    latencies.add(tookMs, nowMs);
  }

  summary(model: string, nowMs: number): LatencySummary {
    return this.#byModel.get(model)?.summary(nowMs) ?? { count: 0, medianMs: 0 };
  }

  clear(): void {
    this.#byModel.clear();
  }
}

const COUNT_MIN = 20;
const TIMES_SLOWER = 4;
/** Below this nobody is slow, whatever the others are. */
const SLOW_MS = 500;

/**
 * Whether a server answers in more than four times what is usual among its peers. Medians are compared, so that a
 * few long prompts do not condemn anybody, and only those that rest on enough answers.
 */
export function isSlow(own: LatencySummary, peers: readonly LatencySummary[]): boolean {
  if (own.count < COUNT_MIN || own.medianMs <= SLOW_MS) return false;
  const medians = peers.flatMap(({ count, medianMs }) => (count >= COUNT_MIN ? [medianMs] : []));
  if (medians.length === 0) return false;
  medians.sort((one, other) => one - other);
  return own.medianMs > TIMES_SLOWER * (medians[medians.length >> 1] ?? 0);
}
