/** What a worker does where a job may not or cannot run now, or not any more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { value } from '../redis/payloads/ground.ts';
import { until } from './ground.ts';
import { chat, openWorkplace } from './workplace.ts';

test('a job over the limits of its tenant waits as long as it was told, loses no try, and runs then', async (t) => {
  const place = await openWorkplace(t, { config: { jobs: { attempts_max: 1 } } });
  const limits = {
    requests_per_minute: 60,
    burst_requests: 2,
    tokens_per_minute: null,
    max_concurrent: null,
  };
  await place.makeTenant('slow', { limits });
  const jobs = await Promise.all(Array.from({ length: 4 }, () => place.putJob({ tenant: 'slow' })));
  const worker = await place.startWorker();
  const begunMs = performance.now();
  const records = await Promise.all(jobs.map((id) => place.untilOver(id)));
  const tookMs = performance.now() - begunMs;
  t.diagnostic(`all done after ${Math.round(tookMs)} ms`);
  assert.ok(records.every(({ status }) => status === 'completed'));
  assert.ok(tookMs > 500);
  await until(async () => (await worker.logText()).includes('"reason":"limits"'));
});

test('one slot: jobs of a tenant run one after the other', async (t) => {
  const place = await openWorkplace(t, { simulator: { firstTokenMs: 100 } });
  await place.makeTenant('single', {
    limits: { requests_per_minute: null, tokens_per_minute: null, max_concurrent: 1 },
  });
  const jobs = await Promise.all(Array.from({ length: 5 }, () => place.putJob({ tenant: 'single' })));
  let most = 0;
  const { state } = place.simulator;
  const watching = setInterval(() => {
    most = Math.max(most, state.counts.running);
  }, 5);
  t.after(() => clearInterval(watching));
  await place.startWorker();
  const records = await Promise.all(jobs.map((id) => place.untilOver(id)));
  assert.ok(records.every(({ status }) => status === 'completed'));
  assert.equal(most, 1);
});

test('a job that is cancelled while it runs: its call is closed within a second, and what it cost is charged', async (t) => {
  const place = await openWorkplace(t, { simulator: { tokenMs: 100 } });
  await place.startWorker();
  const id = await place.putJob({ body: chat('hello', { stream: true, max_tokens: 200 }) });
  await until(async () => value(await place.payloads.pieces.read(id, 1, 0)).kind === 'pieces');
  const begunMs = performance.now();
  assert.equal(value(await place.table.cancel(id, 'acme', 'a test')).verdict, 'cancelled');
  await place.simulator.state.until(({ cancelled }) => cancelled === 1);
  const tookMs = performance.now() - begunMs;
  t.diagnostic(`closed after ${Math.round(tookMs)} ms`);
  assert.ok(tookMs < 3 * 1_000);
  const [call] = await place.settled('acme', 1);
  assert.equal(call?.status, 499);
  assert.equal((await place.find(id)).status, 'cancelled');
});

test('without a server a job waits, and runs when there is one', async (t) => {
  const place = await openWorkplace(t, { config: { jobs: { attempts_max: 1 } } });
  place.simulator.state.turn({ unhealthy: true });
  const id = await place.putJob();
  await place.startWorker();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.equal((await place.find(id)).status, 'queued');
  place.simulator.state.clearFaults();
  assert.equal((await place.untilOver(id)).status, 'completed');
});

test('a server gets no more jobs at once than its max_in_flight', async (t) => {
  const place = await openWorkplace(t, { simulator: { firstTokenMs: 50 }, maxInFlight: 2 });
  const jobs = await Promise.all(Array.from({ length: 12 }, () => place.putJob()));
  let most = 0;
  const { state } = place.simulator;
  const watching = setInterval(() => {
    most = Math.max(most, state.counts.running);
  }, 5);
  t.after(() => clearInterval(watching));
  await place.startWorker();
  const records = await Promise.all(jobs.map((id) => place.untilOver(id)));
  assert.ok(records.every(({ status, attempt }) => status === 'completed' && attempt === 1));
  assert.equal(most, 2);
});
