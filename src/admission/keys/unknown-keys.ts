/** Digests that led nowhere a moment ago. Apart from the known keys, so that guessing cannot push those out. */

const KEPT_MS = 2_000;
const COUNT_MAX = 10_000;

export class UnknownKeys {
  readonly #untilMs = new Map<string, number>();

  has(digest: string, nowMs: number): boolean {
    const leftMs = (this.#untilMs.get(digest) ?? nowMs) - nowMs;
    return leftMs > 0 && leftMs <= KEPT_MS; // more than that: the clock was set back
  }

  add(digest: string, nowMs: number): void {
    this.#untilMs.delete(digest);
    for (const oldest of this.#untilMs.keys()) {
      if (this.#untilMs.size < COUNT_MAX) break;
      this.#untilMs.delete(oldest);
    }
    this.#untilMs.set(digest, nowMs + KEPT_MS);
  }

  clear(): void {
    this.#untilMs.clear();
  }
}
