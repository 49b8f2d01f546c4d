/** Jobs are handed out by their id, once each, and leave nothing behind. */
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

const ids = (count: number, name = 'job') => Array.from({ length: count }, (_, index) => `${name}_${index}`);
const idle = { waiting: 0, running: 0, delayed: 0 };

test('500 jobs are run once each, and leave no key that grows', async (t) => {
  const { queue, work, connection } = await queueGround(t, redis.url);
  const seen: string[] = [];
  work(async ({ jobId }) => {
    seen.push(jobId);
    return 'done';
  });
  const measure = async () => {
    await until(async () => Object.values(value(await queue.counts())).every((count) => count === 0));
    return value(
      await connection.commands.ask(async (client) => ({
        keys: await client.dbsize(),
        bytes: Number(/used_memory_dataset:(\d+)/.exec(await client.info('memory'))?.[1]),
      })),
    );
  };
  value(await queue.add(ids(500, 'warm')));
  await until(() => seen.length === 500);
  const first = await measure();
  value(await queue.add(ids(500)));
  value(await queue.add(ids(500).reverse()));
  await until(() => new Set(seen).size === 1_000);
  const second = await measure();
  t.diagnostic(`after 500: ${JSON.stringify(first)}, after 1,000: ${JSON.stringify(second)}`);
  assert.ok(second.keys <= first.keys + 1 && second.keys < 12);
  assert.ok(second.bytes - first.bytes < 100_000);
});

test('a job that is there already is not added again, waiting or running', async (t) => {
  const { queue, work } = await queueGround(t, redis.url);
  const blocked = Promise.withResolvers<void>();
  const seen: string[] = [];
  value(await queue.add(['job_a', 'job_b']));
  value(await queue.add(['job_b', 'job_a', 'job_b']));
  assert.deepEqual(value(await queue.counts()), { ...idle, waiting: 2 });
  work(async ({ jobId }) => {
    seen.push(jobId);
    await blocked.promise;
    return 'done';
  });
  await until(() => seen.length === 2);
  value(await queue.add(['job_a', 'job_b', 'job_c']));
  await until(() => seen.length === 3);
  blocked.resolve();
  await until(async () => value(await queue.counts()).running === 0);
  assert.deepEqual(seen.sort(), ['job_a', 'job_b', 'job_c']);
});

test('a job is taken out unless it runs', async (t) => {
  const { queue, work } = await queueGround(t, redis.url);
  value(await queue.add(['job_a', 'job_b']));
  assert.equal(value(await queue.remove('job_b')), true);
  assert.equal(value(await queue.remove('job_unknown')), true);
  const blocked = Promise.withResolvers<void>();
  const worker = work(async () => {
    await blocked.promise;
    return 'done';
  });
  await until(() => worker.running === 1);
  assert.equal(value(await queue.remove('job_a')), false);
  assert.deepEqual(value(await queue.counts()), { ...idle, running: 1 });
  blocked.resolve();
});

test('a run that throws is tried again with growing pauses, then given up', async (t) => {
  const { queue, work } = await queueGround(t, redis.url);
  const times: number[] = [];
  const numbers: number[] = [];
  const givenUp = Promise.withResolvers<string>();
  work(
    async ({ jobId, number }) => {
      if (jobId !== 'job_bad') return 'done';
      times.push(performance.now());
      numbers.push(number);
      throw new Error('on purpose');
    },
    { onGivenUp: givenUp.resolve },
  );
  value(await queue.add(['job_bad', 'job_good']));
  assert.equal(await givenUp.promise, 'job_bad');
  assert.deepEqual(numbers, [1, 2, 3, 4, 5]);
  const pauses = times.slice(1).map((time, index) => Math.round(time - (times[index] as number)));
  t.diagnostic(`pauses: ${pauses.join(', ')} ms`);
  assert.ok((pauses[0] as number) >= 240 && (pauses[3] as number) >= 1_900);
  assert.deepEqual(value(await queue.counts()), idle);
});

test('a job that is given back is run again at no cost', async (t) => {
  const { queue, work } = await queueGround(t, redis.url);
  const numbers: number[] = [];
  work(async ({ number }) => {
    numbers.push(number);
    return numbers.length < 8 ? 'again' : 'done';
  });
  value(await queue.add(['job_a']));
  await until(() => numbers.length === 8);
  await until(async () => value(await queue.counts()).running === 0);
  assert.deepEqual(value(await queue.counts()), idle);
});
