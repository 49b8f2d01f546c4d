/** One worker of BullMQ with its connections and its runs; silence.ts says when another one has to take its place. */
import { type Job, WaitingError, Worker } from 'bullmq';
import { storeFailure } from '../redis/failure.ts';
import { type QueueWorkerParts, type RunOutcome, TryAgain } from './delivery.ts';
import { type Run, type Runs, watchRuns } from './runs.ts';

export interface BullWorker {
  readonly runs: Runs;
  setConcurrency(count: number): void;
  /** Takes no more jobs, and what comes nevertheless goes back. */
  stop(): Promise<void>;
  /** Ends within a second, whatever Redis does. Jobs that still run are others' when their locks are over. */
  close(): Promise<void>;
}

const LOCK_MS = 5_000;
const LOCK_RENEWED_EVERY_MS = 1_500;
/**
 * A run ends itself before another worker can have its job: BullMQ keeps its locks by job, and would lose sight of the
 * new one when the old one ends in the same process.
 */
const LOCK_TRUSTED_MS = 4_000;
const STALLED_CHECK_EVERY_MS = 2_500;
/** Workers that died with it. The record counts attempts too and is the lower bound; this one is behind it. */
const STALLED_MAX = 10;
/** How long BullMQ blocks before it looks for itself: a wake-up that was lost with Redis costs no more. */
const BLOCK_SECONDS = 1;
const FETCH_RETRY_MS = 500;
const CLOSE_MS = 1_000;

/** Without Redis, `close` of BullMQ never comes to where it stops renewing locks. */
class StoppableWorker extends Worker {
  stopRenewing(): void {
    void this.lockManager.close();
  }
}

export function openBullWorker(
  parts: QueueWorkerParts,
  concurrency: number,
  onStart: () => void,
): BullWorker {
  const runs = watchRuns(LOCK_TRUSTED_MS, () => performance.now());
  const connection = parts.connection.openWorkerClient();
  let wanted = concurrency;
  let stopped = false;
  const whenForgotten = new WeakMap<Job, () => void>();

  const runJob = async (job: Job, token: string | undefined) => {
    onStart();
    if (stopped) await giveBack(job, token);
    const run = runs.begin(job.id ?? '');
    const outcome = await Promise.race([finished(parts, run, job), run.lockLost]);
    if (outcome === 'again') await giveBack(job, token);
    if (typeof outcome === 'function') whenForgotten.set(job, outcome);
  };

  const worker = new StoppableWorker(parts.queue.name, runJob, {
    connection: connection.client,
    prefix: parts.connection.commands.keys.bullPrefix(),
    concurrency: Math.max(1, concurrency),
    autorun: false,
    lockDuration: LOCK_MS,
    lockRenewTime: LOCK_RENEWED_EVERY_MS,
    stalledInterval: STALLED_CHECK_EVERY_MS,
    maxStalledCount: STALLED_MAX,
    drainDelay: BLOCK_SECONDS,
    runRetryDelay: FETCH_RETRY_MS,
  });
  listen(worker, runs, parts);
  worker.on('completed', (job) => whenForgotten.get(job)?.());
  if (concurrency > 0) worker.run().catch((error) => worker.emit('error', error));

  return {
    runs,
    setConcurrency(count) {
      const grows = count > wanted;
      wanted = count;
      if (count > 0) worker.concurrency = count;
      if (count === 0) void worker.pause(true);
      else if (grows) void wake(worker);
    },
    async stop() {
      stopped = true;
      await worker.pause(true);
    },
    async close() {
      await atMost(CLOSE_MS, worker.close(runs.count > 0));
      worker.stopRenewing();
      connection.close();
      runs.close();
    },
  };
}

function listen(worker: Worker, runs: Runs, { log, onGivenUp }: QueueWorkerParts): void {
  worker.on('locksRenewed', ({ jobIds }) => runs.renewed(jobIds));
  worker.on('lockRenewalFailed', (jobIds) => {
    log.warn({ jobs: jobIds }, 'locks of jobs were lost');
    runs.lost(jobIds);
  });
  worker.on('failed', (job) => {
    if (job?.id !== undefined && job.finishedOn !== undefined) onGivenUp(job.id);
  });
  worker.on('error', (error) => {
    // The connection for commands reports the state of the same server.
    if (!storeFailure(error)) log.warn({ cause: error.message }, 'BullMQ reports an error');
  });
}

/** The run goes on after its lock is lost, until it has obeyed its signal. */
async function finished({ process, log }: QueueWorkerParts, run: Run, job: Job): Promise<RunOutcome> {
  const { jobId, signal } = run;
  const { attemptsStarted: number, stalledCounter: deaths } = job;
  try {
    return await process({ jobId, number, deaths, signal });
  } catch (error) {
    if (!signal.aborted && !(error instanceof TryAgain))
      log.error({ err: error, job: jobId }, 'a run of a job failed');
    throw error;
  } finally {
    run.end();
  }
}

/** Costs the job none of its tries. */
async function giveBack(job: Job, token: string | undefined): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

/** BullMQ sees a higher number only when a job ends; pausing and going on makes it look. */
async function wake(worker: Worker): Promise<void> {
  await worker.pause(true);
  await worker.resume();
}

async function atMost(limitMs: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, limitMs);
  work.then(
    () => resolve(),
    () => resolve(),
  );
  await promise;
  clearTimeout(timer);
}
