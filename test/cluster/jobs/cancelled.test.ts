/** Q7: a job is cancelled through another replica than took it in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { fieldsOf } from './support/caller.ts';
import { bounded, isLong, openPlace, type Place, type TenantKey, TOLERANCE } from './support/place.ts';

const ROUNDS = isLong ? 20 : 3;
const CANCELLED_MS = 1_000;

test(
  'a job that waits or runs is cancelled at once through any replica: its call ends, and what it had reserved is back',
  bounded,
  async (t) => {
    const place = await openPlace(t, { replicas: 2, workers: 1, config: { worker: { concurrency: 1 } } });
    const { caller, calls, gpu } = place;
    const quotas = [{ period: 'total', requests: 1_000, tokens: 1_000_000 }];
    const owner = await place.makeKey(undefined, { limits: { max_concurrent: 1 }, quotas });
    const { key } = owner;
    gpu.addFault({ prompt: '[long-', first_token_ms: 120_000 });
    for (let round = 1; round <= ROUNDS; round += 1) {
      const running = await caller.post({ key, name: 'long', replica: 0 });
      await gpu.until(({ running: now }) => now === 1);
      const waiting = await caller.post({ key, replica: 0 });
      assert.equal(await requestsUsed(place, owner), round + 1, 'its quota is reserved');

      const waitedMs = await cancel(place, owner, waiting.job as string);
      const backMs = await untilUsed(place, owner, round);
      const beganMs = performance.now();
      const ranMs = await cancel(place, owner, running.job as string);
      await until(() => gpu.counts.running === 0, 'the call to end', TOLERANCE * CANCELLED_MS);
      const closedMs = performance.now() - beganMs;
      await place.untilNothingOutstanding();
      const ms = [waitedMs, backMs, ranMs, closedMs].map((took) => took.toFixed(0));
      t.diagnostic(
        `waiting: cancelled in ${ms[0]} ms, its quota back after ${ms[1]}; running: in ${ms[2]}, its call closed after ${ms[3]}`,
      );
      assert.ok(Math.max(waitedMs, backMs, ranMs) <= TOLERANCE * CANCELLED_MS);
      assert.equal(gpu.counts.cancelled, round);
      for (const { job } of [waiting, running]) await caller.read(job as string, key);
    }
    assert.ok(
      calls.every(({ request }) => request.startsWith('long')),
      'what waited has never run',
    );
    assert.deepEqual(await place.faults(), []);
    const lines = (await place.books.books(owner.tenant)).lines;
    assert.equal(await requestsUsed(place, owner), lines.length);
    const tokens = lines.reduce((sum, line) => sum + line.input_tokens + line.output_tokens, 0);
    assert.equal((await place.quotaUsed(owner)).quotaTokens, tokens);
  },
);

/** @returns how long it took until both replicas said so */
async function cancel({ caller }: Place, { key }: TenantKey, job: string): Promise<number> {
  const beganMs = performance.now();
  const reply = await caller.ask(`/${job}/cancel`, { key, method: 'POST' }, 1);
  assert.deepEqual([reply.status, fieldsOf(reply).status], [200, 'cancelled']);
  assert.equal((await caller.read(job, key, { replica: 0 }))?.status, 'cancelled');
  return performance.now() - beganMs;
}

async function requestsUsed(place: Place, owner: TenantKey): Promise<number> {
  return (await place.quotaUsed(owner)).quotaRequests;
}

/** Of each round before, a job has run and is charged. */
async function untilUsed(place: Place, owner: TenantKey, requests: number): Promise<number> {
  const beganMs = performance.now();
  await until(async () => (await requestsUsed(place, owner)) === requests, 'the quota to be back');
  return performance.now() - beganMs;
}
