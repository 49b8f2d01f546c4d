/** How full the queue is, read once in some seconds by each worker, for whoever asks for its metrics. */
import type { JobUpkeep, QueueReading } from '../redis/job-upkeep.ts';

interface ReadingsParts {
  readonly upkeep: Pick<JobUpkeep, 'read'>;
  /** Lines that this process knows of. */
  readonly lines: () => readonly string[];
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly everyMs?: number;
}

const EVERY_MS = 5_000;
/** What is older says nothing any more. */
const TRUSTED_MS = 20_000;

export class LineReadings {
  readonly #parts: ReadingsParts;
  #read: { readonly reading: QueueReading; readonly atMs: number } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ReadingsParts) {
    this.#parts = parts;
  }

  start(): void {
    void this.#look();
    this.#timer = setInterval(() => void this.#look(), this.#parts.everyMs ?? EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Undefined: Redis has not said lately. */
  current(): QueueReading | undefined {
    const read = this.#read;
    return read && this.#parts.now() - read.atMs < TRUSTED_MS ? read.reading : undefined;
  }

  async #look(): Promise<void> {
    const { upkeep, lines, now } = this.#parts;
    const answer = await upkeep.read(lines());
    if (answer.ok) this.#read = { reading: answer.value, atMs: now() };
  }
}
