/** Digests that led nowhere lately. Apart from the known keys, so that guessing cannot push those out. */

const COUNT_MAX = 10_000;

export class UnknownKeys {
  readonly #keptMs: number;
  readonly #untilMs = new Map<string, number>();

  /** @param keptMs how long a digest is remembered at most; the oldest of 10,000 goes before */
  constructor(keptMs = 2_000) {
    this.#keptMs = keptMs;
  }

  has(digest: string, nowMs: number): boolean {
    const leftMs = (this.#untilMs.get(digest) ?? nowMs) - nowMs;
    return leftMs > 0 && leftMs <= this.#keptMs; // more than that: the clock was set back
  }

  add(digest: string, nowMs: number): void {
    this.#untilMs.delete(digest);
    for (const oldest of this.#untilMs.keys()) {
      if (this.#untilMs.size < COUNT_MAX) break;
      this.#untilMs.delete(oldest);
    }
    this.#untilMs.set(digest, nowMs + this.#keptMs);
  }

  clear(): void {
    this.#untilMs.clear();
  }
}
