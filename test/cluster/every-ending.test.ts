/** R3: however a call ends, its ticket is closed once, and what is charged is what happened. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { brokenSource } from './support/broken-source.ts';
import { Caller } from './support/caller.ts';
import { chargeFaults, sumFaults, ticketFaults } from './support/checker.ts';
import { dueOf } from './support/dues.ts';
import { callInEveryWay, plantFaults, timeouts } from './support/endings.ts';
import { isLong, startCluster } from './support/gateways.ts';
import { traceTickets } from './support/trace.ts';

const limits = { max_concurrent: 1_000, tokens_per_minute: 100_000_000 };
const quotas = [{ period: 'total', tokens: 1_000_000_000, requests: 1_000_000_000 }];

async function run(t: TestContext, count: number, main?: string) {
  const cluster = await startCluster({ replicas: 4, config: { timeouts }, ...(main && { main }) });
  t.after(() => cluster.stop());
  plantFaults(cluster.simulator);
  const key = await cluster.createKey('everything', { limits, quotas });
  const limitedKey = await cluster.createKey('everything', {
    limits: { requests_per_minute: 60, burst_requests: 5, max_concurrent: 1_000 },
    quotas,
  });
  const trace = await traceTickets(cluster.books, key.tenant);
  t.after(() => trace.stop());
  const caller = new Caller(cluster);
  t.after(() => caller.close());
  await callInEveryWay(caller, { key, limitedKey }, count);
  await cluster.simulator.until(({ running }) => running === 0);
  return { cluster, key, limitedKey, trace, history: caller.history };
}

test('after every kind of ending no ticket is open, no slot is taken, and the books are those of the callers', async (t) => {
  const { cluster, key, limitedKey, trace, history } = await run(t, isLong ? 10_000 : 1_500);
  const clearMs = await cluster.untilNothingOutstanding(key.tenant, 10_000);
  await trace.caughtUp();
  const kinds = Map.groupBy(history.calls, ({ kind }) => kind);
  for (const [kind, calls] of kinds) {
    const statuses = Map.groupBy(calls, ({ status }) => status);
    t.diagnostic(`${kind}: ${[...statuses].map(([status, all]) => `${all.length} × ${status}`).join(', ')}`);
  }
  assert.ok(kinds.get('ok')?.some(({ status }) => status === 200));
  t.diagnostic(`nothing outstanding after ${clearMs.toFixed(0)} ms`);

  const books = await cluster.books.books(key.tenant);
  assert.deepEqual(chargeFaults(books, history.calls, dueOf), []);
  assert.deepEqual(sumFaults(books, undefined), []);
  const used = await Promise.all(
    [key, limitedKey].map(({ id, tenant }) => cluster.books.account(tenant, `key:${id}`)),
  );
  const tokens = books.lines.reduce((sum, line) => sum + line.input_tokens + line.output_tokens, 0);
  assert.equal(
    used.reduce((sum, { quotaTokens }) => sum + quotaTokens, 0),
    tokens,
  );
  const paid = books.lines.filter(({ status }) => status < 500).length;
  assert.equal(
    used.reduce((sum, { quotaRequests }) => sum + quotaRequests, 0),
    paid,
  );

  assert.deepEqual(ticketFaults(trace.events), []);
  const admissions = trace.events.reduce(
    (sum, event) => sum + (event.kind === 'admitted' ? event.tickets.length : 0),
    0,
  );
  const settled = await cluster.metric('sluice_settlements_total{found="open"}');
  t.diagnostic(`${admissions} tickets, ${settled} settled by the metric, ${books.lines.length} in the books`);
  assert.equal(settled, admissions);
});

test('a settlement script that keeps slots and leaves errors out of the books is found out', async (t) => {
  const broken = await brokenSource('settle', [
    {
      from: "if scope.slot and ticket.state ~= 'x'",
      to: "if scope.slot and call.sums.e == 0 and ticket.state ~= 'x'",
    },
    { from: 'if not call.void then book(', to: 'if not call.void and call.sums.e == 0 then book(' },
  ]);
  t.after(() => broken.remove());
  const { cluster, key, history } = await run(t, 120, broken.main);
  await assert.rejects(cluster.untilNothingOutstanding(key.tenant, 2_000), /slots taken/);
  const books = await cluster.books.books(key.tenant);
  assert.deepEqual(chargeFaults(books, history.calls, dueOf), []);
  assert.notDeepEqual(sumFaults(books, undefined), []);
});
