/** What passes between a worker of the queue and those who run its jobs. */
import type { QueueConnection } from '../redis/queue-connection.ts';
import type { Logger } from '../telemetry/log.ts';
import type { JobQueue } from './queue.ts';

export interface Delivery {
  readonly jobId: string;
  /** How often BullMQ has handed this job out since it was added, this time included. No fence. */
  readonly number: number;
  /** How many workers have died with it since then, as far as BullMQ has seen; those that stood still count too. */
  readonly deaths: number;
  /**
   * Aborts with reason `lock_lost` when somebody else may run the job, and `shutdown` when its time is over. What was
   * begun has to end then, soon.
   */
  readonly signal: AbortSignal;
}

/**
 * `done`: BullMQ forgets the job. `again`: it goes back and is run anew at once, here or elsewhere. A function is called
 * when BullMQ has forgotten the job: from then on it can be handed over again.
 */
export type RunOutcome = 'done' | 'again' | (() => void);

/** Thrown by a run that has said itself why it is to be tried again. */
export class TryAgain extends Error {}

export interface QueueWorkerParts {
  readonly connection: QueueConnection;
  readonly queue: JobQueue;
  readonly log: Logger;
  /** An exception is a run that failed for reasons of ours: it is tried again, with growing pauses, a few times. */
  process(delivery: Delivery): Promise<RunOutcome>;
  /** BullMQ has forgotten the job after too many exceptions or dead workers; its record has to end. */
  onGivenUp(jobId: string): void;
  /** Jobs wait and none starts, although the worker was rebuilt: only a new process may help. Said once. */
  onSilent(): void;
}
