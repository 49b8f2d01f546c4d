/** What the tests of the queue share. */
import type { TestContext } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import type { QueueWorkerParts } from '../../src/jobs/delivery.ts';
import { type JobQueue, jobQueue } from '../../src/jobs/queue.ts';
import { type QueueWorker, startQueueWorker } from '../../src/jobs/queue-worker.ts';
import { connectQueue, type QueueConnection } from '../../src/redis/queue-connection.ts';
import { recordingLog } from '../redis/ground.ts';

export interface Ground {
  readonly connection: QueueConnection;
  readonly queue: JobQueue;
  readonly lines: readonly string[];
  work(
    process: QueueWorkerParts['process'],
    more?: Partial<QueueWorkerParts> & { concurrency?: number },
  ): QueueWorker;
}

/** @param workerUrl where workers look for Redis; default: the same */
export async function queueGround(t: TestContext, url: string, workerUrl = url): Promise<Ground> {
  const { log, lines } = recordingLog();
  const open = (redis_url: string) =>
    connectQueue(
      configSchema.parse({ secret: 'a secret of at least 32 characters', queue: { redis_url } }),
      log,
    );
  const connection = open(url);
  const elsewhere = workerUrl === url ? connection : open(workerUrl);
  t.after(() => {
    connection.close();
    elsewhere.close();
  });
  await Promise.all([connection.commands.reached(), connection.payloads.reached()]);
  const queue = jobQueue(connection.commands);
  return {
    connection,
    queue,
    lines,
    work(process, { concurrency = 10, ...more } = {}) {
      const parts = { onGivenUp: () => undefined, onSilent: () => undefined, ...more };
      const ways = { ...connection, openWorkerClient: elsewhere.openWorkerClient };
      const worker = startQueueWorker({ connection: ways, queue, log, process, ...parts }, concurrency);
      t.after(() => worker.close({ drainMs: 0, unwindMs: 100 }));
      return worker;
    },
  };
}

/** Looks again and again; whoever has an event waits for that instead. */
export async function until(isSo: () => boolean | Promise<boolean>, limitMs = 20_000): Promise<number> {
  const begunMs = performance.now();
  while (!(await isSo())) {
    if (performance.now() - begunMs > limitMs) throw new Error(`not so within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return performance.now() - begunMs;
}
