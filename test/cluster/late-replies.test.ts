/** R7: Redis has done it, and nobody was told in time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineScripts } from '../../src/redis/scripts.ts';
import { until } from '../support/gateway.ts';
import type { ChaosProxy } from './chaos-proxy.ts';
import { seededRandom } from './seeded-random.ts';
import { keys } from './support/books.ts';
import { Caller, inLanes, pause } from './support/caller.ts';
import { chargeFaults, sumFaults } from './support/checker.ts';
import { dueOf } from './support/dues.ts';
import { type GatewayCluster, isLong, startCluster, type TenantKey } from './support/gateways.ts';
import { traceTickets } from './support/trace.ts';

const REPLICAS = 3;
const COMMAND_TIMEOUT_MS = 100;
const OUTSTANDING_MS_MAX = 30_000;
const limits = { requests_per_minute: 1_000_000, tokens_per_minute: 100_000_000, max_concurrent: 300 };
const quotas = [{ period: 'total', tokens: 1_000_000_000, requests: 1_000_000_000 }];

let cluster: GatewayCluster;
test.before(async () => {
  cluster = await startCluster({
    replicas: REPLICAS,
    withProxies: true,
    config: {
      redis: { command_timeout_ms: COMMAND_TIMEOUT_MS },
      admission: { lease_seconds: 6, heartbeat_seconds: 0.5 },
    },
  });
});
test.after(() => cluster?.stop());

interface Storm {
  begin(proxies: readonly ChaosProxy[]): void;
  end(proxies: readonly ChaosProxy[]): void;
  /** So often that batches of settlements are among what is lost. */
  readonly losesSettlements?: boolean;
}

const storms: Readonly<Record<string, Storm>> = {
  'replies that come later than anybody waits': {
    begin: ([first, second]) => {
      first?.latency(4 * COMMAND_TIMEOUT_MS);
      second?.latency(COMMAND_TIMEOUT_MS - 10);
    },
    end: (proxies) => {
      for (const proxy of proxies) proxy.latency(0);
    },
  },
  'replies that are lost behind their command': {
    losesSettlements: true,
    begin: (proxies) => {
      for (const [index, proxy] of proxies.entries()) {
        proxy.dropReplies({ probability: 0.1, random: seededRandom(index) });
      }
    },
    end: (proxies) => {
      for (const proxy of proxies) proxy.dropReplies(undefined);
    },
  },
  'a connection on which nothing moves for a while': {
    begin: ([first]) => first?.stall(),
    end: ([first]) => first?.resume(),
  },
};

for (const [index, [name, storm]] of Object.entries(storms).entries()) {
  test(`${name} leave nothing outstanding, and each call is charged once`, async (t) => {
    // Of the storm before a replica may not have recovered, and it would not know the new key.
    await until(async () => (await cluster.metric('sluice_redis_up')) === REPLICAS, 'Redis on every replica');
    const key = await cluster.createKey(`storm-${index}`, { limits, quotas });
    const caller = new Caller(cluster, `storm-${index}`);
    t.after(() => caller.close());
    const admittedLocally = 'sluice_admissions_total{outcome="admitted_locally",limit="none"}';
    const unanswered = 'sluice_redis_command_seconds_count{kind="settle",outcome="unavailable"}';
    const localBefore = await cluster.metric(admittedLocally);
    const unansweredBefore = await cluster.metric(unanswered);
    await callFor(caller, key, 500);
    storm.begin(cluster.proxies);
    await callFor(caller, key, isLong ? 30_000 : 3_000);
    storm.end(cluster.proxies);
    const clearMs = await cluster.untilNothingOutstanding(key.tenant, OUTSTANDING_MS_MAX);
    await callFor(caller, key, 500);
    await untilSettled(key, caller);

    const local = (await cluster.metric(admittedLocally)) - localBefore;
    t.diagnostic(
      `${caller.history.summary()}; ${local} admitted without Redis; clear after ${clearMs.toFixed(0)} ms`,
    );
    const slowest = Math.max(
      ...caller.history.calls.map(({ sentAtMs, answeredAtMs }) => answeredAtMs - sentAtMs),
    );
    t.diagnostic(`slowest answer ${slowest.toFixed(0)} ms`);
    const replayed = (await cluster.metric(unanswered)) - unansweredBefore;
    t.diagnostic(`${replayed} batches of settlements sent again`);
    assert.ok(local > 0, 'every reply came in time');
    if (storm.losesSettlements) assert.ok(replayed > 0, 'no batch was sent again');
    const books = await cluster.books.books(key.tenant);
    assert.deepEqual(chargeFaults(books, caller.history.calls, dueOf), []);
    assert.deepEqual(sumFaults(books, await cluster.books.account(key.tenant, `key:${key.id}`)), []);
    await cluster.untilNothingOutstanding(key.tenant, OUTSTANDING_MS_MAX);
  });
}

test('a renewal that arrives behind the settlement brings nothing back', async (t) => {
  const key = await cluster.createKey('renewed', { limits });
  const trace = await traceTickets(cluster.books, key.tenant);
  t.after(() => trace.stop());
  const caller = new Caller(cluster, 'renewed');
  t.after(() => caller.close());
  await callFor(caller, key, 300);
  await cluster.untilNothingOutstanding(key.tenant, OUTSTANDING_MS_MAX);
  await trace.caughtUp();
  const ids = trace.events.flatMap((event) =>
    event.kind === 'admitted' ? event.tickets.map(({ id }) => id) : [],
  );
  assert.ok(ids.length > 0);
  const { client } = cluster.books;
  defineScripts(client);
  assert.deepEqual(await client.renew(keys.root(key.tenant), 5_000, ...ids), [0, 0]);
  assert.deepEqual(await cluster.books.outstanding(key.tenant), {
    open: [],
    slots: { [keys.account(key.tenant, `key:${key.id}`)]: 0 },
  });
});

async function callFor(caller: Caller, key: TenantKey, durationMs: number): Promise<void> {
  const endMs = performance.now() + durationMs;
  await inLanes(10, () => {
    if (performance.now() >= endMs) return undefined;
    return caller.call({ key, maxTokens: 4 }).then(() => pause(20));
  });
}

/** Settlements are behind the answers; those of local calls have no ticket that one could wait for. */
async function untilSettled(key: TenantKey, caller: Caller): Promise<void> {
  const due = caller.history.admitted().length;
  const endMs = performance.now() + OUTSTANDING_MS_MAX;
  while ((await cluster.books.client.xlen(keys.calls(key.tenant))) < due && performance.now() < endMs)
    await pause(50);
}
