/** BullMQ alone: a queue of jobs that are nothing but an id, and a processor that does nothing. */
import { Queue, Worker } from 'bullmq';
import { cpuSeconds } from './processes.ts';

export interface BareFigures {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

const [port, countText, concurrency] = process.argv.slice(2);
const count = Number(countText);
const ADDED_AT_ONCE = 500;

async function measure(): Promise<BareFigures> {
  const connection = { host: '127.0.0.1', port: Number(port) };
  const queue = new Queue('bare', { connection });
  const opts = { removeOnComplete: true, removeOnFail: true };
  for (let added = 0; added < count; added += ADDED_AT_ONCE) {
    const lot = Array.from({ length: Math.min(ADDED_AT_ONCE, count - added) }, (_, index) => added + index);
    await queue.addBulk(lot.map((id) => ({ name: 'job', data: {}, opts: { ...opts, jobId: `job-${id}` } })));
  }
  let left = count;
  const done = Promise.withResolvers<void>();
  const worker = new Worker('bare', async () => undefined, {
    ...{ connection, concurrency: Number(concurrency), autorun: false },
  });
  worker.on('completed', () => {
    left -= 1;
    if (left === 0) done.resolve();
  });
  const cpuBefore = cpuSeconds([process.pid]);
  const begunMs = performance.now();
  void worker.run();
  await done.promise;
  const seconds = (performance.now() - begunMs) / 1_000;
  const cpu = cpuSeconds([process.pid]) - cpuBefore;
  await Promise.all([worker.close(), queue.close()]);
  return { perSecond: count / seconds, cpuMicroseconds: (cpu / count) * 1e6 };
}

process.send?.(await measure());
process.on('disconnect', () => process.exit(0));
