/**
 * The jobs for whose answers callers of this replica wait on their connections. Each has a moment in Redis until which
 * its caller is thought to be there, put off again and again while he is. When he leaves, the job ends at that moment,
 * unless he has asked for the same again, of whichever replica; and so it does when this replica dies.
 */
import type { HoldTable } from '../redis/hold-table.ts';

/** From when a caller has gone until his job is cancelled. */
export const HELD_MS = 30_000;
/** Two signs may be lost. */
const SIGNS = 3.3;
const AT_ONCE_MAX = 100;
/** Of the moment in Redis, which is to have passed by then. */
const SLACK_MS = 100;

/** What it takes to clean up behind a job. */
export interface HeldJob {
  readonly id: string;
  readonly tenant: string;
  readonly keyId: string;
  readonly model: string;
}

interface HeldJobsParts {
  readonly table: Pick<HoldTable, 'hold' | 'abandon'>;
  /** As the door has it. */
  readonly heldMs: number;
  readonly nowMs: () => number;
  /** It was cancelled before it ran. */
  readonly ended: (job: HeldJob) => void;
}

interface Left {
  readonly job: HeldJob;
  readonly dueMs: number;
}

export class HeldJobs {
  readonly #parts: HeldJobsParts;
  /** Only held calls come and go here; several may wait for one job. */
  readonly #held = new Set<HeldJob>();
  #left: Left[] = [];
  #timer: NodeJS.Timeout | undefined;
  #signAtMs = 0;

  constructor(parts: HeldJobsParts) {
    this.#parts = parts;
  }

  get #signEveryMs(): number {
    return this.#parts.heldMs / SIGNS;
  }

  get count(): number {
    return this.#held.size;
  }

  /** Until `leave` or `over`. The job must have been accepted as held, or joined by a sign of its own. */
  enter(job: HeldJob): void {
    if (this.#held.size === 0) this.#signAtMs = this.#parts.nowMs() + this.#signEveryMs;
    this.#held.add(job);
    this.#wake();
  }

  /** For one that exists already. Its caller is back. */
  async join(job: HeldJob): Promise<void> {
    this.enter(job);
    await this.#sign([job]);
  }

  /** It has ended, or goes on without its caller. */
  over(job: HeldJob): void {
    this.#held.delete(job);
  }

  /** The caller has gone before the end. */
  leave(job: HeldJob): void {
    if (!this.#held.delete(job)) return;
    void this.#sign([job]);
    this.#left.push({ job, dueMs: this.#parts.nowMs() + this.#parts.heldMs + SLACK_MS });
    this.#wake();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wake(): void {
    clearTimeout(this.#timer);
    const nextMs = Math.min(
      this.#held.size > 0 ? this.#signAtMs : Infinity,
      this.#left[0]?.dueMs ?? Infinity,
    );
    if (nextMs === Infinity) return;
    const inMs = Math.max(0, nextMs - this.#parts.nowMs());
    this.#timer = setTimeout(() => void this.#work(), inMs).unref();
  }

  async #work(): Promise<void> {
    const nowMs = this.#parts.nowMs();
    if (this.#held.size > 0 && nowMs >= this.#signAtMs) {
      this.#signAtMs = nowMs + this.#signEveryMs;
      await this.#sign([...this.#held]);
    }
    const due = this.#left.filter(({ dueMs }) => dueMs <= nowMs);
    if (due.length > 0) {
      this.#left = this.#left.filter(({ dueMs }) => dueMs > nowMs);
      await this.#abandon(due.map(({ job }) => job));
    }
    this.#wake();
  }

  async #sign(jobs: readonly HeldJob[]): Promise<void> {
    for (const some of chunked(jobs)) {
      const ids = some.map(({ id }) => id);
      // Where Redis is away the next sign may reach it.
      await this.#parts.table.hold(ids, this.#parts.heldMs).catch(() => undefined);
    }
  }

  /** Where Redis is away the sweep does it later. */
  async #abandon(jobs: readonly HeldJob[]): Promise<void> {
    for (const some of chunked(jobs)) {
      const ids = some.map(({ id }) => id);
      const answer = await this.#parts.table.abandon(ids).catch(() => undefined);
      if (!answer?.ok) continue;
      for (const [index, job] of some.entries()) {
        // Of one that ran the worker takes care.
        if (answer.value[index] === 'ended_unrun') this.#parts.ended(job);
      }
    }
  }
}

function* chunked(jobs: readonly HeldJob[]): Generator<readonly HeldJob[]> {
  for (let at = 0; at < jobs.length; at += AT_ONCE_MAX) yield jobs.slice(at, at + AT_ONCE_MAX);
}
