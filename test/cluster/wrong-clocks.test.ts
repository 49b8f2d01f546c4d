/** R5: whose clock is wrong, and by how much, changes no limit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/gateway.ts';
import { keys } from './support/books.ts';
import { Caller, inLanes, pause } from './support/caller.ts';
import {
  allowedUntilEnd,
  burstNeeded,
  chargeFaults,
  outstandingFaults,
  spansOf,
  sumFaults,
} from './support/checker.ts';
import { dueOf } from './support/dues.ts';
import { type GatewayCluster, isLong, startCluster, type TenantKey } from './support/gateways.ts';

const RATE = 3_000;
const BURST = 20;
const OFFSETS_MS = [30_000, -30_000, 0];
const JUMP_MS = 5_000;

/** Two of three replicas are off by half a minute. */
function offClock(replica: number): NodeJS.ProcessEnv {
  const address = new URL(`./support/shifted-clock.ts?ms=${OFFSETS_MS[replica]}`, import.meta.url);
  return { NODE_OPTIONS: `--import ${address}` };
}

async function demand(cluster: GatewayCluster, caller: Caller, key: TenantKey, durationMs: number) {
  const from = caller.history.calls.length;
  const beganMs = performance.now();
  await inLanes(12, () => {
    if (performance.now() - beganMs >= durationMs) return undefined;
    return caller.call({ key, maxTokens: 1 }).then(({ status }) => pause(status === 200 ? 0 : 15));
  });
  const calls = caller.history.calls.slice(from);
  assert.equal(new Set(calls.map(({ replica }) => replica)).size, cluster.gateways.length);
  const admitted = calls.filter(({ status }) => status === 200);
  const spanMs = Math.max(...calls.map(({ sentAtMs }) => sentAtMs)) - beganMs;
  const due = allowedUntilEnd(calls, { perMinute: RATE, burst: BURST });
  return { admitted, due, spanMs, needed: burstNeeded(spansOf(admitted), RATE) };
}

test('two replicas whose clocks are off by ± 30 s admit what the others do, and charge the same', async (t) => {
  const cluster = await startCluster({ replicas: OFFSETS_MS.length, env: offClock });
  t.after(() => cluster.stop());
  const dates = await Promise.all(
    cluster.gateways.map(
      async ({ url }) => (await (await fetch(`${url}/health`)).json()) as { timestamp: string },
    ),
  );
  const [first = 0, second = 0] = dates.map(({ timestamp }) => Date.parse(timestamp));
  assert.ok(Math.abs(first - second - 60_000) < 5_000, 'the clocks are not what they should be');

  const quotas = [{ period: 'total', tokens: 1_000_000_000 }];
  const limits = { requests_per_minute: RATE, burst_requests: BURST, max_concurrent: 50 };
  const key = await cluster.createKey('askew', { limits, quotas });
  const caller = new Caller(cluster);
  t.after(() => caller.close());
  const { admitted, due, needed } = await demand(cluster, caller, key, isLong ? 60_000 : 6_000);
  const share = admitted.length / due;
  const byReplica = Map.groupBy(admitted, ({ replica }) => replica);
  t.diagnostic(
    `admitted by replica: ${[...byReplica].map(([index, all]) => `${OFFSETS_MS[index]} ms ${all.length}`)}`,
  );
  t.diagnostic(`${(100 * share).toFixed(2)} % of the limit; a burst of ${needed.toFixed(2)} of ${BURST}`);
  assert.ok(needed <= BURST + 1, `a burst of ${needed}`);
  assert.ok(share >= 0.99, `${share} of what the limit allows`);
  await cluster.untilNothingOutstanding(key.tenant, 10_000);
  const books = await cluster.books.books(key.tenant);
  assert.deepEqual(chargeFaults(books, caller.history.calls, dueOf), []);
  assert.deepEqual(sumFaults(books, await cluster.books.account(key.tenant, `key:${key.id}`)), []);
});

test('a new primary whose clock is 5 s ahead, and one that is behind it, keep leases and buckets', async (t) => {
  const cluster = await startCluster({ replicas: 3 });
  t.after(() => cluster.stop());
  const { client } = cluster.books;
  cluster.simulator.addFault({ prompt: '[slow]', token_ms: 400 });
  const busy = await cluster.createKey('failover', { limits: { max_concurrent: 1 } });
  const limits = { requests_per_minute: RATE, burst_requests: BURST };
  const key = await cluster.createKey('failover', { limits });
  const caller = new Caller(cluster);
  t.after(() => caller.close());
  const running = caller.call({ key: busy, prompt: '[slow]', stream: true, maxTokens: 25 });
  await cluster.simulator.until((counts) => counts.running === 1);
  const before = await demand(cluster, caller, key, 2_000);

  // What a primary leaves behind that was ahead, for the one that comes next: its clock is 5 s later than ours.
  const ahead = await client.hincrby(keys.meta(key.tenant), 'clock', JUMP_MS);
  const standstill = await demand(cluster, caller, key, JUMP_MS - 1_000);
  assert.equal((await caller.call({ key: busy })).status, 429, 'the running call holds its slot');
  await until(async () => await isPast(client, ahead), 'the clock to catch up');
  const after = await demand(cluster, caller, key, 2_000);

  const jump = (JUMP_MS * RATE) / 60_000;
  for (const [name, { admitted, needed }] of Object.entries({ before, standstill, after })) {
    t.diagnostic(`${name}: ${admitted.length} admitted, a burst of ${needed.toFixed(1)}`);
  }
  assert.ok(standstill.admitted.length <= BURST + 1, 'a clock that jumps fills a bucket once');
  assert.ok(before.needed <= BURST + 1 && after.needed <= BURST + 1);
  const all = burstNeeded(spansOf(caller.history.admitted().filter(({ keyId }) => keyId === key.id)), RATE);
  assert.ok(all <= BURST + jump + 1, `a burst of ${all}`);
  assert.ok(
    after.admitted.length >= 0.9 * ((after.spanMs * RATE) / 60_000),
    'it goes on at the rate of before',
  );
  const { status, isWhole } = await running;
  assert.deepEqual({ status, isWhole }, { status: 200, isWhole: true });
  await until(async () => outstandingFaults(await cluster.books.outstanding(key.tenant)).length === 0);
  const books = await cluster.books.books(key.tenant);
  assert.equal(books.ofKeys.lost, 0, 'no lease has run out');
  assert.deepEqual(chargeFaults(books, caller.history.calls, dueOf), []);
});

async function isPast(client: GatewayCluster['books']['client'], clockMs: number): Promise<boolean> {
  const [seconds, microseconds] = await client.time();
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000 > clockMs;
}
