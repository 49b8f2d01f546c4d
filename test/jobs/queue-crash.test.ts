/** A worker that dies or freezes loses its jobs to others in time, and knows it when it wakes. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { value } from '../redis/payloads/ground.ts';
import { startRedis } from '../support/redis.ts';
import { queueGround, until } from './ground.ts';

const script = fileURLToPath(new URL('worker-process.ts', import.meta.url));

interface WorkerProcess {
  readonly child: ChildProcess;
  readonly lines: { readonly text: string; readonly atMs: number }[];
}

async function startWorker(t: TestContext, url: string, lastsMs: number): Promise<WorkerProcess> {
  const child = spawn(process.execPath, [script, url, String(lastsMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  const lines: { text: string; atMs: number }[] = [];
  createInterface({ input: child.stdout }).on('line', (text) =>
    lines.push({ text, atMs: performance.now() }),
  );
  await until(() => lines.length > 0);
  return { child, lines };
}

const has = ({ lines }: WorkerProcess, text: string) => lines.some((line) => line.text === text);

test('crashes', { concurrency: true }, async (all) => {
  const killed = all.test('jobs of a killed worker run again within 10 s', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const { queue, work } = await queueGround(t, redis.url);
    const victim = await startWorker(t, redis.url, 60_000);
    const jobs = Array.from({ length: 20 }, (_, index) => `job_${index}`);
    value(await queue.add(jobs));
    await until(() => jobs.every((job) => has(victim, `begin ${job}`)));
    const seen = new Set<string>();
    work(async ({ jobId }) => {
      seen.add(jobId);
      return 'done';
    });
    const begunMs = performance.now();
    victim.child.kill('SIGKILL');
    await until(() => seen.size === jobs.length, 40_000);
    const tookMs = performance.now() - begunMs;
    t.diagnostic(`all run again after ${Math.round(tookMs)} ms`);
    assert.ok(tookMs < 3 * 10_000);
    await until(async () => value(await queue.counts()).running === 0);
  });

  const frozen = all.test(
    'a worker frozen for 12 s aborts its job within 1 s of waking, and another has run it',
    async (t) => {
      const redis = await startRedis();
      t.after(() => redis.stop());
      const { queue, work } = await queueGround(t, redis.url);
      const victim = await startWorker(t, redis.url, 60_000);
      value(await queue.add(['job_a']));
      await until(() => has(victim, 'begin job_a'));
      let runs = 0;
      work(async () => {
        runs += 1;
        return 'done';
      });
      victim.child.kill('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 12_000));
      assert.equal(runs, 1);
      const wokenMs = performance.now();
      victim.child.kill('SIGCONT');
      await until(() => has(victim, 'abort job_a lock_lost'));
      const tookMs = performance.now() - wokenMs;
      t.diagnostic(`aborted ${Math.round(tookMs)} ms after waking`);
      assert.ok(tookMs < 3 * 1_000);
      value(await queue.add(['job_b']));
      await until(async () => runs === 2 || has(victim, 'begin job_b'));
    },
  );
  await Promise.all([killed, frozen]);
});
