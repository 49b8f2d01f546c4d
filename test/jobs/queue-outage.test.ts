/** What was acknowledged outlives Redis, and nobody waits for Redis longer than he was told. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { WorkerClient } from '../../src/redis/queue-connection.ts';
import { value } from '../redis/payloads/ground.ts';
import { freePort, startRedis } from '../support/redis.ts';
import { queueGround, until } from './ground.ts';

describe('outages', { concurrency: true }, () => {
  test('no job whose adding was acknowledged is lost when Redis is killed and comes back', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-queue-'));
    const options = {
      appendOnly: true,
      port: await freePort(),
      folder,
      extra: ['--appendfsync', 'everysec'],
    };
    let redis = await startRedis(options);
    t.after(async () => {
      await redis.stop();
      await rm(folder, { recursive: true, force: true });
    });
    const { queue, work } = await queueGround(t, redis.url);
    const seen = new Set<string>();
    work(async ({ jobId }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      seen.add(jobId);
      return 'done';
    });
    const acknowledged: string[] = [];
    let number = 0;
    const producing = setInterval(async () => {
      number += 1;
      const job = `job_${number}`;
      if ((await queue.add([job])).ok) acknowledged.push(job);
    }, 5);
    t.after(() => clearInterval(producing));
    const backMs: number[] = [];
    for (let round = 1; round <= 2; round += 1) {
      await until(() => acknowledged.length >= round * 100);
      process.kill(redis.pid, 'SIGKILL');
      await redis.stop();
      redis = await startRedis(options);
      const before = seen.size;
      const added = acknowledged.length;
      backMs.push(Math.round(await until(() => seen.size > before && acknowledged.length > added)));
    }
    clearInterval(producing);
    await until(() => acknowledged.every((job) => seen.has(job)), 30_000);
    t.diagnostic(
      `${acknowledged.length} acknowledged, none missing; working again after ${backMs.join(', ')} ms`,
    );
    assert.ok(Math.max(...backMs) < 3 * 5_000);
  });

  test('adding while Redis is frozen or was never there fails within 500 ms', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const { queue } = await queueGround(t, redis.url);
    redis.pause();
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const begunMs = performance.now();
      assert.equal((await queue.add([`job_${round}`])).ok, false);
      times.push(Math.round(performance.now() - begunMs));
    }
    redis.resume();
    t.diagnostic(`${times.join(', ')} ms`);
    assert.ok(Math.max(...times) < 3 * 500);
    await until(async () => (await queue.add(['job_later'])).ok);
  });

  test('a silent worker runs what waits once a new connection helps', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const { queue, connection, lines, work } = await queueGround(t, redis.url);
    const seen: string[] = [];
    const opened: WorkerClient[] = [];
    const openWorkerClient = () => {
      const client = connection.openWorkerClient();
      opened.push(client);
      return client;
    };
    const run = async ({ jobId }: { jobId: string }) => {
      seen.push(jobId);
      return 'done' as const;
    };
    work(run, { connection: { ...connection, openWorkerClient } });
    value(await queue.add(['job_before']));
    await until(() => seen.length === 1);
    opened[0]?.close(); // for good: it does not come back by itself
    value(await queue.add(['job_a']));
    const tookMs = await until(() => seen.length === 2, 30_000);
    t.diagnostic(`ran ${Math.round(tookMs)} ms later`);
    assert.equal(lines.filter((line) => line.includes('the worker is rebuilt')).length, 1);
  });
});
