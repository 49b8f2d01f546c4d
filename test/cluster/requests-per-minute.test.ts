/** R1: requests, whatever the number of replicas. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenSource } from './support/broken-source.ts';
import { Caller, inLanes, pause } from './support/caller.ts';
import { allowedUntilEnd, burstNeeded, spansOf } from './support/checker.ts';
import { type GatewayCluster, isLong, startCluster } from './support/gateways.ts';

const RATE = 3_000;
const BURST = 20;
const REPLICAS = 4;
const limits = { requests_per_minute: RATE, burst_requests: BURST };

/** Steady demand of some times the rate. */
async function hammer(cluster: GatewayCluster, durationMs: number): Promise<Caller> {
  const key = await cluster.createKey('hammered', { limits });
  const caller = new Caller(cluster);
  const endMs = performance.now() + durationMs;
  await inLanes(12, () => {
    if (performance.now() >= endMs) return undefined;
    return caller.call({ key, maxTokens: 1 }).then(({ status }) => pause(status === 200 ? 0 : 15));
  });
  caller.close();
  return caller;
}

test('any interval admits at most burst + rate × T + 1 over four replicas, and steady demand gets 99 % of it', async (t) => {
  const cluster = await startCluster({ replicas: REPLICAS });
  t.after(() => cluster.stop());
  const { history } = await hammer(cluster, isLong ? 180_000 : 10_000);
  const { calls } = history;
  const admitted = history.admitted();
  const due = allowedUntilEnd(calls, { perMinute: RATE, burst: BURST });
  const needed = burstNeeded(spansOf(admitted), RATE);
  const share = admitted.length / due;
  t.diagnostic(`${history.summary()}; ${(100 * share).toFixed(2)} % of what the limit allows`);
  t.diagnostic(`an honest bucket would need a burst of ${needed.toFixed(2)}; it has ${BURST}`);
  assert.deepEqual([...new Set(calls.map(({ status }) => status))].sort(), [200, 429]);
  assert.equal(new Set(admitted.map(({ replica }) => replica)).size, REPLICAS);
  assert.ok(needed <= BURST + 1, `a burst of ${needed}`);
  assert.ok(share >= 0.99, `${share} of what the limit allows`);
});

test('an admission script that takes half a request each time is found out', async (t) => {
  const broken = await brokenSource('admit', [
    { from: 'charge_bucket(scope.requests, 1)', to: 'charge_bucket(scope.requests, 0.5)' },
  ]);
  t.after(() => broken.remove());
  const cluster = await startCluster({ replicas: 2, main: broken.main });
  t.after(() => cluster.stop());
  const { history } = await hammer(cluster, 2_000);
  const needed = burstNeeded(spansOf(history.admitted()), RATE);
  t.diagnostic(`an honest bucket would need a burst of ${needed.toFixed(2)}`);
  assert.ok(needed > BURST + 1, `a burst of ${needed}`);
});
