/**
 * Jobs that Redis may have accepted although their callers were told that it has not. They are taken out again as soon
 * as it answers; workers leave them alone for two seconds from then.
 */
import type { JobTable } from '../redis/job-table.ts';

interface Withdrawn {
  readonly id: string;
  tries: number;
}

const EVERY_MS = 250;
const KEPT_MAX = 1_000;
/** Ten minutes. By then it has run, or has no request to run with. */
const TRIES_MAX = 2_400;

export class Withdrawals {
  readonly #forget: JobTable['forget'];
  /** Tells that one was taken out, which had been accepted or not. */
  readonly #withdrawn: (id: string) => void;
  #left: Withdrawn[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(forget: JobTable['forget'], withdrawn: (id: string) => void) {
    this.#forget = forget;
    this.#withdrawn = withdrawn;
  }

  get count(): number {
    return this.#left.length;
  }

  add(id: string): void {
    if (this.#left.length >= KEPT_MAX) this.#left.shift();
    this.#left.push({ id, tries: 0 });
    this.#timer ??= setTimeout(() => void this.#try(), 0);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#left = [];
  }

  async #try(): Promise<void> {
    for (const one of [...this.#left]) {
      one.tries += 1;
      const done = await this.#forget(one.id, undefined).then(
        ({ ok }) => ok,
        () => true,
      );
      if (done) this.#withdrawn(one.id);
      if (done || one.tries >= TRIES_MAX) this.#left = this.#left.filter((other) => other !== one);
      // What one question did not reach, the next will not.
      if (!done) break;
    }
    this.#timer = this.#left.length > 0 ? setTimeout(() => void this.#try(), EVERY_MS).unref() : undefined;
  }
}
