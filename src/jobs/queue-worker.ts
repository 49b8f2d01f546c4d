/**
 * Takes jobs from BullMQ and runs them, as many at once as it is told. It promises little, because BullMQ does: a job
 * is run at least once, perhaps twice at the same time. What must happen once is fenced by the job's own record.
 */
import { type BullWorker, openBullWorker } from './bull-worker.ts';
import type { QueueWorkerParts } from './delivery.ts';
import { watchSilence } from './silence.ts';

export interface QueueWorker {
  /** A number from 0 on. What runs goes on. */
  setConcurrency(count: number): void;
  /** Jobs that run now, those included that were told to end. */
  readonly running: number;
  /**
   * Takes no more jobs, waits `drainMs` for those that run, aborts them, waits `unwindMs` for that, and leaves what
   * is then left to others, who get it when its lock is over. Takes a second more at most.
   * @returns whether nothing was left
   */
  close(limits: { drainMs: number; unwindMs: number }): Promise<boolean>;
}

const SILENCE = { silentMs: 5_000, rebuildsMax: 2 };

/** Begins at once, with `concurrency` jobs at most. */
export function startQueueWorker(parts: QueueWorkerParts, concurrency: number): QueueWorker {
  const { connection, queue, log } = parts;
  const retired = new Set<BullWorker>();
  let wanted = concurrency;
  let closing = false;

  const open = () => openBullWorker(parts, wanted, () => silence.started());
  let current = open();
  const all = () => [current, ...retired];
  const running = () => all().reduce((sum, { runs }) => sum + runs.count, 0);

  /** What it still runs keeps its locks, unless its connection is dead; then it is aborted within seconds. */
  const retire = async (worker: BullWorker) => {
    retired.add(worker);
    await worker.stop();
    await worker.runs.idle();
    retired.delete(worker);
    await worker.close();
  };

  const silence = watchSilence(
    {
      hasRoom: () => !closing && running() < wanted && connection.commands.state() === 'ok',
      async waiting() {
        const counts = await queue.counts();
        return counts.ok ? counts.value.waiting : undefined;
      },
      rebuild() {
        log.warn('jobs wait and none starts: the worker is rebuilt');
        const silent = current;
        current = open();
        void retire(silent);
      },
      giveUp() {
        log.error('jobs wait and none starts, although the worker was rebuilt');
        parts.onSilent();
      },
    },
    SILENCE,
  );

  return {
    setConcurrency(count) {
      wanted = count;
      current.setConcurrency(count);
    },
    get running() {
      return running();
    },
    async close({ drainMs, unwindMs }) {
      closing = true;
      silence.close();
      await current.stop();
      const workers = all();
      const idle = async (limitMs: number) =>
        (await Promise.all(workers.map(({ runs }) => runs.idle(limitMs)))).every(Boolean);
      if (!(await idle(drainMs))) for (const { runs } of workers) runs.abortAll('shutdown');
      const isIdle = await idle(unwindMs);
      await Promise.all(workers.map((worker) => worker.close()));
      return isIdle;
    },
  };
}
