/** Whatever becomes of a worker, its job ends once, with one result, and is charged once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { value } from '../redis/payloads/ground.ts';
import { until } from './ground.ts';
import { chat, openWorkplace } from './workplace.ts';

const unlimited = { requests_per_minute: null, tokens_per_minute: null };

test('workers that are killed and frozen', { concurrency: true }, async (all) => {
  const killed = all.test(
    'the job of a killed worker ends with another within 10 s, also with one slot, and is charged once',
    async (t) => {
      const place = await openWorkplace(t, { simulator: { firstTokenMs: 1_500 } });
      await place.makeTenant('acme', { limits: { ...unlimited, max_concurrent: 1 } });
      const victim = await place.startWorker();
      const id = await place.putJob();
      await place.simulator.state.until(({ running }) => running === 1);
      const begunMs = performance.now();
      victim.child.kill('SIGKILL');
      await place.startWorker();
      const record = await place.untilOver(id, 60_000);
      const tookMs = performance.now() - begunMs;
      t.diagnostic(`done ${Math.round(tookMs)} ms after the kill`);
      assert.equal(record.status, 'completed');
      assert.equal(record.attempt, 2);
      assert.ok(tookMs < 3 * 10_000);
      assert.equal((await place.settled('acme', 1)).length, 1);
      const next = await place.putJob();
      assert.equal((await place.untilOver(next)).status, 'completed');
      assert.equal((await place.settled('acme', 2)).length, 2);
    },
  );

  const frozen = all.test(
    'a worker frozen for 12 s in its call: another has finished, its own answer counts nowhere',
    async (t) => {
      const place = await openWorkplace(t, { simulator: { tokenMs: 100 } });
      await place.makeTenant('acme', { limits: { ...unlimited, max_concurrent: 1 } });
      const victim = await place.startWorker();
      const id = await place.putJob({ body: chat('hello', { stream: true, max_tokens: 30 }) });
      await place.simulator.state.until(({ running }) => running === 1);
      await until(async () => value(await place.payloads.pieces.read(id, 1, 0)).kind === 'pieces');
      victim.child.kill('SIGSTOP');
      await place.startWorker();
      await new Promise((resolve) => setTimeout(resolve, 12_000));
      const wokenMs = performance.now();
      victim.child.kill('SIGCONT');
      await until(async () => (await victim.logText()).includes('"outcome":"left"'), 3_000);
      t.diagnostic(`given up ${Math.round(performance.now() - wokenMs)} ms after waking`);
      const record = await place.untilOver(id);
      assert.equal(record.status, 'completed');
      assert.equal(record.result_attempt, 2);
      assert.equal((await place.settled('acme', 1)).length, 1);
      assert.equal(place.simulator.state.counts.running, 0);
    },
  );

  const leaving = all.test(
    'a worker that ends lets its jobs end, and hands back those that take too long, without a lost try',
    async (t) => {
      const place = await openWorkplace(t, {
        simulator: { tokenMs: 50 },
        config: { drain: { limit_seconds: 1 }, jobs: { attempts_max: 1 }, worker: { concurrency: 2 } },
      });
      const worker = await place.startWorker();
      const short = await place.putJob({ body: chat('short', { stream: true, max_tokens: 15 }) });
      const long = await place.putJob({ body: chat('long', { stream: true, max_tokens: 60 }) });
      await place.simulator.state.until(({ running }) => running === 2);
      const tookMs = await worker.stop();
      t.diagnostic(`left after ${Math.round(tookMs)} ms`);
      assert.ok(tookMs < 3 * 3_000);
      assert.equal(worker.child.exitCode, 0);
      assert.equal((await place.find(short)).status, 'completed');
      assert.equal((await place.find(long)).status, 'queued');
      await place.startWorker();
      const record = await place.untilOver(long);
      assert.deepEqual([record.status, record.attempt], ['completed', 2]);
      assert.equal((await place.settled('acme', 2)).length, 2);
    },
  );

  await Promise.all([killed, frozen, leaving]);
});
