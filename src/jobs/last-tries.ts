/**
 * A job that kills its worker takes along those that run beside it. All of them come back together, perhaps to the same
 * worker, and would fail with it in the end. So those that have one try left after such deaths take turns in a process,
 * and wait for that before they begin: who dies while he waits has lost nothing by it.
 */

export class LastTries {
  #before: Promise<void> = Promise.resolve();

  /** Settles when all that came before have left, or when the signal aborts. @returns how to leave */
  async enter(signal: AbortSignal): Promise<() => void> {
    const before = this.#before;
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    this.#before = before.then(() => left);
    const { promise: aborted, resolve: abort } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => abort(), { once: true });
    if (signal.aborted) abort();
    await Promise.race([before, aborted]);
    return leave;
  }
}
