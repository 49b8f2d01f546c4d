/** How many jobs run at once can be changed while they run. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { value } from '../redis/payloads/ground.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { queueGround, until } from './ground.ts';

let redis: TestRedis;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

test('a higher number holds at once, a lower one as jobs end, and none at 0', async (t) => {
  const { queue, work } = await queueGround(t, redis.url);
  const ends: (() => void)[] = [];
  const worker = work(() => new Promise((resolve) => ends.push(() => resolve('done'))), { concurrency: 1 });
  value(await queue.add(Array.from({ length: 40 }, (_, index) => `job_${index}`)));
  await until(() => worker.running === 1);
  worker.setConcurrency(6);
  const raisedMs = await until(() => worker.running === 6);
  t.diagnostic(`raised while a job ran: ${Math.round(raisedMs)} ms`);
  assert.ok(raisedMs < 3_000);

  worker.setConcurrency(2);
  for (const end of ends.splice(0)) end();
  await until(() => worker.running <= 2 && ends.length > 0);
  for (let round = 0; round < 5; round += 1) {
    for (const end of ends.splice(0)) end();
    await until(() => ends.length > 0);
    assert.ok(worker.running <= 2, `${worker.running} run`);
  }

  worker.setConcurrency(0);
  await until(() => {
    for (const end of ends.splice(0)) end();
    return worker.running === 0;
  });
  const waiting = value(await queue.counts()).waiting;
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(waiting > 10 && worker.running === 0 && value(await queue.counts()).waiting === waiting);
  worker.setConcurrency(3);
  await until(() => worker.running === 3);
  for (const end of ends) end();
});

test('closing waits for what runs, then aborts it, and takes nothing new', async (t) => {
  const own = await startRedis();
  t.after(() => own.stop());
  const { queue, work } = await queueGround(t, own.url);
  const reasons: unknown[] = [];
  const seen: string[] = [];
  const worker = work(
    ({ jobId, signal }) =>
      new Promise((resolve) => {
        seen.push(jobId);
        if (jobId === 'job_short') setTimeout(() => resolve('done'), 100);
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          resolve('again');
        });
      }),
    { concurrency: 2 },
  );
  value(await queue.add(['job_short', 'job_long', 'job_later']));
  await until(() => worker.running === 2);
  const begunMs = performance.now();
  assert.equal(await worker.close({ drainMs: 300, unwindMs: 500 }), true);
  assert.ok(performance.now() - begunMs < 3 * 1_800);
  assert.deepEqual(reasons, ['shutdown']);
  assert.deepEqual(seen, ['job_short', 'job_long']);
  assert.deepEqual(value(await queue.counts()), { waiting: 2, running: 0, delayed: 0 });
});

test('closing ends within its limits while Redis is frozen and a run does not obey', async (t) => {
  const own = await startRedis();
  t.after(() => own.stop());
  const { queue, work } = await queueGround(t, own.url);
  const worker = work(() => new Promise(() => undefined));
  value(await queue.add(['job_a']));
  await until(() => worker.running === 1);
  own.pause();
  const begunMs = performance.now();
  assert.equal(await worker.close({ drainMs: 100, unwindMs: 100 }), false);
  const tookMs = performance.now() - begunMs;
  own.resume();
  t.diagnostic(`${Math.round(tookMs)} ms`);
  assert.ok(tookMs < 3 * 1_200);
});
