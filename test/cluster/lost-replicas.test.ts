/** R7: replicas that freeze or die with calls in their hands. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { until } from '../support/gateway.ts';
import { Caller } from './support/caller.ts';
import { chargeFaults, sumFaults } from './support/checker.ts';
import { dueOf } from './support/dues.ts';
import { type GatewayCluster, startCluster, type TenantKey } from './support/gateways.ts';
import type { CallRecord } from './support/history.ts';
import { traceTickets } from './support/trace.ts';

const FROZEN = 0;
const KILLED = 1;
const ALIVE = 2;
const CALLS = 5;
const LEASE_SECONDS = 6;
const limits = { max_concurrent: CALLS, tokens_per_minute: 1_000_000 };
const quotas = [{ period: 'total', tokens: 1_000_000_000, requests: 1_000_000_000 }];

describe('replicas that are lost', { concurrency: true }, () => {
  let cluster: GatewayCluster;
  before(async () => {
    cluster = await startCluster({
      replicas: 3,
      config: { admission: { lease_seconds: LEASE_SECONDS, heartbeat_seconds: 0.5 } },
    });
    cluster.simulator.addFault({ prompt: '[slow]', token_ms: 400 });
    cluster.simulator.addFault({ prompt: '[endless]', token_ms: 3_000 });
  });
  after(() => cluster?.stop());

  test('one that was frozen past its leases frees its slots, takes them again when it thaws, and is charged what was used', async (t) => {
    const key = await cluster.createKey('frozen', { limits, quotas });
    const caller = new Caller(cluster, 'frozen');
    t.after(() => caller.close());
    const trace = await traceTickets(cluster.books, key.tenant);
    t.after(() => trace.stop());
    const { calls } = await begin(caller, key, FROZEN, '[slow]');
    cluster.gateways[FROZEN]?.process.kill('SIGSTOP');
    const frozenAtMs = performance.now();
    assert.equal((await caller.call({ key, replica: ALIVE })).status, 429);
    const isFree = async () => (await caller.call({ key, replica: ALIVE })).status === 200;
    await until(isFree, 'its slots to be free', 3 * LEASE_SECONDS * 1_000);
    t.diagnostic(`slots free after ${(performance.now() - frozenAtMs).toFixed(0)} ms`);
    assert.equal((await cluster.books.books(key.tenant)).ofKeys.lost, CALLS);

    cluster.gateways[FROZEN]?.process.kill('SIGCONT');
    const ended = await Promise.all(calls);
    assert.ok(ended.every(({ status, isWhole }) => status === 200 && isWhole));
    const clearMs = await cluster.untilNothingOutstanding(key.tenant, 30_000);
    await trace.caughtUp();
    const retaken = trace.events.filter(({ kind }) => kind === 'retaken').length;
    t.diagnostic(`${retaken} slots taken again; clear ${clearMs.toFixed(0)} ms after the last answer`);
    assert.equal(retaken, CALLS);
    const books = await cluster.books.books(key.tenant);
    assert.equal(books.ofKeys.lost, 0, 'nothing was lost in the end');
    assert.deepEqual(chargeFaults(books, caller.history.calls, dueOf), []);
    assert.deepEqual(sumFaults(books, await cluster.books.account(key.tenant, `key:${key.id}`)), []);
  });

  test('of one that was killed, whose tenant goes silent, nothing is outstanding within 30 s, and its calls are booked as lost', async (t) => {
    const key = await cluster.createKey('silent', { limits, quotas });
    const caller = new Caller(cluster, 'silent');
    t.after(() => caller.close());
    const trace = await traceTickets(cluster.books, key.tenant);
    t.after(() => trace.stop());
    const { calls } = await begin(caller, key, KILLED, '[endless]');
    assert.equal((await cluster.books.outstanding(key.tenant)).open.length, CALLS);
    cluster.gateways[KILLED]?.process.kill('SIGKILL');
    await Promise.all(calls);
    const clearMs = await cluster.untilNothingOutstanding(key.tenant, 30_000);
    t.diagnostic(`nothing outstanding ${clearMs.toFixed(0)} ms after the kill`);
    await trace.caughtUp();

    const reserved = trace.events
      .flatMap((event) => (event.kind === 'admitted' ? event.tickets : []))
      .reduce((sum, { tokens }) => sum + tokens, 0);
    const { ofKeys, ofTenant, lines } = await cluster.books.books(key.tenant);
    assert.deepEqual({ calls: ofKeys.calls, lost: ofKeys.lost }, { calls: CALLS, lost: CALLS });
    assert.equal(ofKeys.input + ofKeys.output, reserved);
    assert.deepEqual(ofTenant, ofKeys);
    assert.deepEqual(lines, []);
    const account = await cluster.books.account(key.tenant, `key:${key.id}`);
    assert.deepEqual(account, { quotaRequests: CALLS, quotaTokens: reserved });
    assert.equal((await caller.call({ key, replica: ALIVE })).status, 200);
  });
});

/** Streams that have begun, through one replica; settles when each has sent something. */
async function begin(caller: Caller, key: TenantKey, replica: number, prompt: string) {
  const calls: Promise<CallRecord>[] = [];
  const beginnings = Array.from({ length: CALLS }, () => {
    return new Promise<void>((begun) => {
      calls.push(caller.call({ key, replica, prompt, stream: true, begun }));
    });
  });
  await Promise.all(beginnings);
  return { calls };
}
