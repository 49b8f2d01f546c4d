/**
 * Hands waiting jobs to BullMQ: of each line as many as its servers have room for, and no more than this process could
 * run. So the order of those that wait stays open until the last moment (order.md).
 *
 * Any worker may then get a job that another one has handed over. That evens out: each hands over as many as it has
 * room for, so all together hand over as many as all together have room for.
 *
 * It looks when a job was accepted or put back, when a run ends, and each second, should news have been lost. What was
 * handed over and has not begun for a while is handed over again, which does nothing to jobs that BullMQ has.
 */
import type { JobEvent } from '../core/job.ts';
import type { JobTable } from '../redis/job-table.ts';
import type { Logger } from '../telemetry/log.ts';
import type { LineRooms } from './line-rooms.ts';
import type { JobQueue } from './queue.ts';

interface FeedParts {
  readonly jobs: Pick<JobTable, 'pick' | 'lines' | 'overdue'>;
  readonly queue: Pick<JobQueue, 'add'>;
  readonly rooms: LineRooms;
  /** Jobs that this process could begin now. */
  readonly free: () => number;
  /** With fewer places free it has enough to do, and hands over several at once a little later. */
  readonly freeMin: number;
  readonly log: Logger;
}

const LOOK_EVERY_MS = 1_000;
/** In looks. */
const OVERDUE_EVERY = 5;
const OVERDUE_MS = 10_000;
const OVERDUE_MAX = 500;
/** What was handed over and of which nothing was heard since is another worker's, or overdue. */
const HANDED_MS = 3_000;
const PICKED_MAX = 100;
const WOKEN_MS_MAX = 5_000;

interface Handed {
  readonly line: string;
  readonly untilMs: number;
}

export class Feed {
  readonly #parts: FeedParts;
  /** Those that this process has handed over and that nobody has begun. */
  readonly #handed = new Map<string, Handed>();
  /** Lines with waiting jobs, as far as is known. */
  readonly #busy = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #feeding: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  /** A question got no answer: what was picked by it may lie nowhere, and is handed over again as soon as one does. */
  #isUnsure = false;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS).unref();
    void this.#look();
  }

  /** Nothing is handed over any more when this settles. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#feeding;
  }

  heard({ id, line, status }: Pick<JobEvent, 'id' | 'line' | 'status'>): void {
    this.#handed.delete(id);
    if (status !== 'queued' || !this.#parts.rooms.has(line)) return;
    this.wake(line);
  }

  /** There may be room that there was not before, or in that line work. */
  wake(line?: string): void {
    if (line !== undefined) this.#busy.add(line);
    if (this.#stopped) return;
    this.#again = true;
    this.#feeding ??= this.#feed();
  }

  wakeIn(ms: number, line: string): void {
    // What is much further away is seen soon enough when it is looked at all lines.
    if (ms <= WOKEN_MS_MAX) setTimeout(() => this.wake(line), ms + 1).unref();
  }

  async #feed(): Promise<void> {
    // Those that come or end in one turn of the event loop are looked at together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#again && !this.#stopped) {
      this.#again = false;
      await this.#round().catch((error: Error) =>
        this.#parts.log.error({ cause: error.message }, 'jobs cannot be handed over'),
      );
    }
    this.#feeding = undefined;
  }

  /** Lines share what is free, so that none waits for another whose servers are slow. */
  async #round(): Promise<void> {
    if (this.#parts.free() - this.#handed.size < this.#parts.freeMin) return;
    const lines = [...this.#busy];
    for (const [index, line] of lines.entries()) {
      const free = this.#parts.free() - this.#handed.size;
      if (free <= 0) return;
      const share = Math.ceil(free / (lines.length - index));
      const room = this.#parts.rooms.roomOf(line, this.#handedOf(line));
      // Who was first this time is last the next.
      this.#busy.delete(line);
      this.#busy.add(line);
      await this.#handOver(line, Math.min(share, room, PICKED_MAX));
    }
  }

  async #handOver(line: string, countMax: number): Promise<void> {
    if (countMax <= 0) return;
    const { jobs, queue } = this.#parts;
    const picked = await jobs.pick(line, countMax);
    if (!picked.ok) {
      this.#isUnsure = true;
      return;
    }
    const ids = picked.value.map(({ id }) => id);
    if (ids.length < countMax) this.#busy.delete(line);
    if (ids.length === 0) return;
    const untilMs = performance.now() + HANDED_MS;
    for (const id of ids) this.#handed.set(id, { line, untilMs });
    const added = await queue.add(ids);
    if (!added.ok) this.#isUnsure = true;
    if (ids.length === countMax) this.#again = true;
  }

  #handedOf(line: string): number {
    let count = 0;
    for (const handed of this.#handed.values()) if (handed.line === line) count += 1;
    return count;
  }

  async #look(): Promise<void> {
    const nowMs = performance.now();
    for (const [id, { untilMs }] of this.#handed) if (untilMs <= nowMs) this.#handed.delete(id);
    this.#looks += 1;
    const { jobs, rooms } = this.#parts;
    const lines = await jobs.lines();
    if (!lines.ok || this.#stopped) return;
    const ours = lines.value.filter((line) => rooms.has(line));
    for (const line of ours) this.#busy.add(line);
    this.wake();
    if (this.#isUnsure) {
      this.#isUnsure = false;
      await this.#handOverdue(ours, 0);
    } else if (this.#looks % OVERDUE_EVERY === 0) await this.#handOverdue(ours, OVERDUE_MS);
  }

  async #handOverdue(lines: readonly string[], ageMs: number): Promise<void> {
    const { jobs, queue } = this.#parts;
    for (const line of lines) {
      const overdue = await jobs.overdue(line, ageMs, OVERDUE_MAX);
      if (!overdue.ok || overdue.value.length === 0 || this.#stopped) continue;
      const added = await queue.add(overdue.value);
      if (!added.ok) this.#isUnsure = true;
    }
  }
}
