/**
 * How much of a worker's memory the requests of its jobs may take. A job whose request does not fit waits for others to
 * end, in order of asking, so that a large one is not overtaken for ever; one that is larger than all there is runs
 * alone.
 */
export class RequestMemory {
  readonly #bytesMax: number;
  #taken = 0;
  readonly #waiting: { readonly bytes: number; readonly enter: () => void }[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Settles when there is room, or when the signal aborts: then the room is not taken, but may be left all the same.
   * @returns how to leave, once
   */
  async enter(bytes: number, signal: AbortSignal): Promise<() => void> {
    if (this.#waiting.length === 0 && this.#fits(bytes)) return this.#take(bytes);
    const { promise: mayEnter, resolve } = Promise.withResolvers<void>();
    const enter = () => resolve();
    const place = { bytes, enter };
    this.#waiting.push(place);
    signal.addEventListener('abort', enter, { once: true });
    if (signal.aborted) enter();
    await mayEnter;
    signal.removeEventListener('abort', enter);
    const at = this.#waiting.indexOf(place);
    if (at < 0) return () => this.#leave(bytes);
    this.#waiting.splice(at, 1);
    this.#callNext();
    return () => {};
  }

  #fits(bytes: number): boolean {
    return this.#taken === 0 || this.#taken + bytes <= this.#bytesMax;
  }

  #take(bytes: number): () => void {
    this.#taken += bytes;
    return () => this.#leave(bytes);
  }

  #leave(bytes: number): void {
    this.#taken -= bytes;
    this.#callNext();
  }

  /** Whoever is called has his room already, so that nobody comes between. */
  #callNext(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#taken += next.bytes;
      next.enter();
    }
  }
}
