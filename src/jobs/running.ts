/** The jobs that this process runs now, by their ids, and what ends them before their time. */
import type { JobEvent } from '../core/job.ts';
import type { AbortCause } from './runs.ts';

/** `ended`: somebody has cancelled it, or it has expired. `superseded`: another attempt has begun. */
export type StopCause = AbortCause | 'ended' | 'superseded';

export interface RunningJob {
  readonly jobId: string;
  /** Aborts with a `StopCause` as its reason. */
  readonly signal: AbortSignal;
  attempt: number;
  stop(cause: StopCause): void;
  end(): void;
}

export class RunningJobs {
  readonly #jobs = new Map<string, RunningJob>();

  get size(): number {
    return this.#jobs.size;
  }

  ids(): string[] {
    return [...this.#jobs.keys()];
  }

  /** @param outer ends it too */
  begin(jobId: string, outer: AbortSignal): RunningJob {
    const controller = new AbortController();
    const stop = (cause: StopCause) => controller.abort(cause);
    const obey = () => controller.abort(outer.reason);
    const job: RunningJob = {
      jobId,
      signal: controller.signal,
      attempt: 0,
      stop,
      end: () => {
        outer.removeEventListener('abort', obey);
        if (this.#jobs.get(jobId) === job) this.#jobs.delete(jobId);
      },
    };
    if (outer.aborted) obey();
    else outer.addEventListener('abort', obey, { once: true });
    this.#jobs.set(jobId, job);
    return job;
  }

  /** What it has done itself is no reason to end it. */
  heard({ id, status, attempt }: Pick<JobEvent, 'id' | 'status' | 'attempt'>): void {
    const job = this.#jobs.get(id);
    if (status === 'cancelled' || status === 'expired') job?.stop('ended');
    // 0: it has just begun, and does not know its own number yet.
    else if (job && job.attempt > 0 && attempt > job.attempt) job.stop('superseded');
  }
}
