/**
 * Jobs in BullMQ's hands: those that workers have room for, by their id alone. What a job is, and how it ended,
 * stands in our own record; here are only locks, the recovery of jobs whose worker died, and second tries.
 */
import { Queue } from 'bullmq';
import type { Answer, RedisClient, RedisConnection } from '../redis/connection.ts';

/** BullMQ's name for a queue, and for each job in it: webhooks have one apart, so that they never delay jobs. */
export type QueueName = 'jobs' | 'webhooks';
/** Runs that end in an exception. A run whose worker dies is counted apart (queue-worker.ts). */
const ATTEMPTS_MAX = 5;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_JITTER = 0.5;
/** BullMQ keeps a stream of what happens in a queue. Nobody here reads it. */
const EVENTS_KEPT = 100;
/** Of one question to Redis. */
const ADDED_AT_ONCE_MAX = 500;

export type BullQueue = Queue;

export interface QueueCounts {
  readonly waiting: number;
  readonly running: number;
  /** Between two tries. */
  readonly delayed: number;
}

export interface JobQueue {
  readonly name: QueueName;
  /**
   * Changes nothing about those that are there already, waiting, running or between two tries: whoever does not know
   * whether a job arrived adds it again. All or none, 500 at most. One that got no answer may be added nevertheless.
   */
  add(jobIds: readonly string[]): Promise<Answer<void>>;
  /** Takes a job out that does not run. @returns false when it runs; true also when it is not there */
  remove(jobId: string): Promise<Answer<boolean>>;
  counts(): Promise<Answer<QueueCounts>>;
  /** For looking at it. */
  bullQueue(): Promise<Answer<BullQueue>>;
}

const jobOptions = {
  attempts: ATTEMPTS_MAX,
  backoff: { type: 'exponential', delay: BACKOFF_FIRST_MS, jitter: BACKOFF_JITTER },
  removeOnComplete: true,
  removeOnFail: true,
  stackTraceLimit: 0,
} as const;

/** @param connection that for short commands: nothing here waits longer than its command time-out */
export function jobQueue({ ask, keys }: RedisConnection, name: QueueName = 'jobs'): JobQueue {
  let opened: Queue | undefined;

  const withQueue = <T>(work: (queue: Queue) => Promise<T>): Promise<Answer<T>> =>
    ask(async (client) => {
      const queue = opened ?? openQueue(name, client, keys.bullPrefix());
      opened = queue;
      try {
        await queue.waitUntilReady();
      } catch (error) {
        // It remembers that its first contact has failed, for ever.
        if (opened === queue) opened = undefined;
        throw error;
      }
      return await work(queue);
    }, 'jobs');

  return {
    name,
    add: (jobIds) =>
      withQueue(async (queue) => {
        if (jobIds.length > ADDED_AT_ONCE_MAX) throw new RangeError('too many jobs at once');
        if (jobIds.length === 0) return;
        await queue.addBulk(jobIds.map((jobId) => ({ name, data: {}, opts: { ...jobOptions, jobId } })));
      }),
    remove: (jobId) =>
      withQueue(async (queue) => {
        const removed = await queue.remove(jobId);
        return removed === 1 || (await queue.getJob(jobId)) === undefined;
      }),
    bullQueue: () => withQueue(async (queue) => queue),
    counts: () =>
      withQueue(async (queue) => {
        const counts = await queue.getJobCounts('waiting', 'active', 'delayed');
        return {
          waiting: counts.waiting ?? 0,
          running: counts.active ?? 0,
          delayed: counts.delayed ?? 0,
        };
      }),
  };
}

function openQueue(name: QueueName, connection: RedisClient, prefix: string): Queue {
  const queue = new Queue(name, { connection, prefix, streams: { events: { maxLen: EVENTS_KEPT } } });
  // Whoever asked gets the error; the state of the connection is reported where it is watched.
  queue.on('error', () => undefined);
  return queue;
}
