/**
 * The jobs that run in this process, and the end of their locks. BullMQ renews a lock and says so; that one was lost
 * it says only when Redis answers. A process that was frozen, or cut off from Redis, learns it from its own clock.
 */

export type AbortCause = 'lock_lost' | 'shutdown';

export interface Run {
  readonly jobId: string;
  /** Aborts with an `AbortCause` as its reason. */
  readonly signal: AbortSignal;
  /** Rejects when the lock is lost, so that BullMQ lets go of the job before it can come here again. */
  readonly lockLost: Promise<never>;
  end(): void;
}

export interface Runs {
  begin(jobId: string): Run;
  renewed(jobIds: readonly string[]): void;
  lost(jobIds: readonly string[]): void;
  abortAll(cause: AbortCause): void;
  readonly count: number;
  /** Settles when none is left, or when the time is over, if it has a limit. @returns whether none is left */
  idle(limitMs?: number): Promise<boolean>;
  close(): void;
}

const LOOK_EVERY_MS = 100;

/** @param trustedMs how long after its last confirmation a lock counts as held: less than it lasts */
export function watchRuns(trustedMs: number, nowMs: () => number): Runs {
  const runs = new Set<{
    jobId: string;
    trustedUntilMs: number;
    lose(): void;
    controller: AbortController;
  }>();
  const waiting = new Set<() => void>();
  const looking = setInterval(() => {
    const now = nowMs();
    for (const run of runs) if (run.trustedUntilMs <= now) run.lose();
  }, LOOK_EVERY_MS).unref();

  const tellIdle = () => {
    if (runs.size > 0) return;
    for (const resolve of waiting) resolve();
    waiting.clear();
  };

  return {
    begin(jobId) {
      const controller = new AbortController();
      const { promise: lockLost, reject } = Promise.withResolvers<never>();
      lockLost.catch(() => undefined);
      const lose = () => {
        controller.abort('lock_lost' satisfies AbortCause);
        reject(new Error('the lock was lost'));
      };
      const run = { jobId, trustedUntilMs: nowMs() + trustedMs, lose, controller };
      runs.add(run);
      return {
        jobId,
        signal: controller.signal,
        lockLost,
        end() {
          runs.delete(run);
          tellIdle();
        },
      };
    },
    renewed(jobIds) {
      const now = nowMs();
      for (const run of runs) {
        if (jobIds.includes(run.jobId) && !run.controller.signal.aborted)
          run.trustedUntilMs = now + trustedMs;
      }
    },
    lost(jobIds) {
      for (const run of runs) if (jobIds.includes(run.jobId)) run.lose();
    },
    abortAll(cause) {
      for (const { controller } of runs) controller.abort(cause);
    },
    get count() {
      return runs.size;
    },
    async idle(limitMs) {
      if (runs.size === 0) return true;
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.add(resolve);
      const timer = limitMs === undefined ? undefined : setTimeout(resolve, limitMs);
      await promise;
      clearTimeout(timer);
      waiting.delete(resolve);
      return runs.size === 0;
    },
    close: () => clearInterval(looking),
  };
}
