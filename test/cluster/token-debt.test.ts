/** R2: estimates that are wrong in both directions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from './seeded-random.ts';
import { Caller, inLanes, pause } from './support/caller.ts';
import { chargeFaults, overdrafts, sumFaults } from './support/checker.ts';
import { dueOfWhole } from './support/dues.ts';
import { isLong, startCluster } from './support/gateways.ts';
import { type TraceEvent, traceTickets } from './support/trace.ts';

const RATE = 120_000;
const BURST = 300;
/** About a tenth of what is expected of an answer to three times as much. */
const LENGTHS = [25, 100, 250, 500, 750];

test('with real use of 0.1 to 3 times the estimate, nobody is admitted on debt, and usage and quota forgive nothing', async (t) => {
  const cluster = await startCluster({ replicas: 4, simulator: { firstTokenMs: 100 } });
  t.after(() => cluster.stop());
  for (const tokens of LENGTHS) cluster.simulator.addFault({ prompt: `[${tokens}]`, tokens });
  const limits = { tokens_per_minute: RATE, burst_tokens: BURST };
  const quotas = [{ period: 'total', tokens: 1_000_000_000 }];
  const key = await cluster.createKey('debtor', { limits, quotas });
  const trace = await traceTickets(cluster.books, key.tenant);
  t.after(() => trace.stop());
  const caller = new Caller(cluster);
  const random = seededRandom(2);
  const endMs = performance.now() + (isLong ? 60_000 : 6_000);
  await inLanes(200, () => {
    if (performance.now() >= endMs) return undefined;
    const length = LENGTHS[Math.floor(random() * LENGTHS.length)];
    const sent = caller.call({ key, prompt: `[${length}]` });
    return sent.then(({ status }) => pause(status === 200 ? 0 : 200 + 400 * random()));
  });
  caller.close();
  const clearMs = await cluster.untilNothingOutstanding(key.tenant, 10_000);
  await trace.caughtUp();

  const { admissions, debts, deepest } = debtsIn(trace.events);
  const tokens = caller.history.admitted().reduce((sum, { usage }) => sum + (usage?.output ?? 0), 0);
  t.diagnostic(`${caller.history.summary()}; ${tokens} tokens out; clear after ${clearMs.toFixed(0)} ms`);
  t.diagnostic(`${admissions} admissions; ${debts} times in debt, at most by ${deepest.toFixed(0)} tokens`);
  assert.ok(debts > 5, 'there was hardly any debt');
  assert.ok(
    deepest > 0.5 * BURST && deepest <= BURST + 1,
    `debt goes deep, and never beyond its bound: ${deepest}`,
  );
  assert.deepEqual(overdrafts(trace.events, `key:${key.id}`, { perMinute: RATE, burst: BURST }), []);
  const books = await cluster.books.books(key.tenant);
  assert.deepEqual(chargeFaults(books, caller.history.calls, dueOfWhole), []);
  assert.deepEqual(sumFaults(books, await cluster.books.account(key.tenant, `key:${key.id}`)), []);
});

/** How often, and how deep, the bucket was below zero when something had changed it. */
function debtsIn(events: readonly TraceEvent[]) {
  let admissions = 0;
  let debts = 0;
  let deepest = 0;
  for (const event of events) {
    if (event.kind === 'admitted') admissions += event.tickets.length;
    if (event.kind !== 'bucket' || event.field !== 't') continue;
    const debt = ((event.zeroMs - event.nowMs) / 60_000) * RATE;
    if (debt > 0) debts += 1;
    deepest = Math.max(deepest, debt);
  }
  return { admissions, debts, deepest };
}
