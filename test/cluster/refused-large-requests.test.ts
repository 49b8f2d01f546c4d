/** R4: who is refused pays nothing, and takes nothing away from others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keys, type RedisBooks } from './support/books.ts';
import { Caller, inLanes } from './support/caller.ts';
import { startCluster } from './support/gateways.ts';
import { traceTickets } from './support/trace.ts';

const BURST = 1_000;
const REFUSED = 1_000;
/** Estimated at some 900 tokens. */
const LARGE = 'word '.repeat(800);
/** Next to nothing comes back while the test runs. */
const limits = {
  tokens_per_minute: 60,
  burst_tokens: BURST,
  requests_per_minute: 1_000_000,
  max_concurrent: 10,
};
const quotas = [{ period: 'day', tokens: 1_000_000, requests: 1_000_000 }];

test('after a thousand refused large requests a small one that fits is admitted, and the thousand have cost nothing', async (t) => {
  const cluster = await startCluster({ replicas: 4 });
  t.after(() => cluster.stop());
  cluster.simulator.addFault({ prompt: '[long]', tokens: 600 });
  const key = await cluster.createKey('large', { limits, quotas });
  const caller = new Caller(cluster);
  t.after(() => caller.close());
  const first = await caller.call({ key, prompt: '[long]', maxTokens: 600 });
  assert.equal(first.status, 200);
  await cluster.untilNothingOutstanding(key.tenant, 5_000);
  const before = await stateOf(cluster.books, key.tenant);
  const trace = await traceTickets(cluster.books, key.tenant);
  t.after(() => trace.stop());

  let sent = 0;
  const beganMs = performance.now();
  await inLanes(50, () => {
    sent += 1;
    return sent > REFUSED ? undefined : caller.call({ key, kind: 'large', prompt: LARGE });
  });
  const refused = caller.history.calls.filter(({ kind }) => kind === 'large');
  t.diagnostic(`${refused.length} refused in ${(performance.now() - beganMs).toFixed(0)} ms`);
  assert.equal(refused.length, REFUSED);
  assert.deepEqual([...new Set(refused.map(({ refusal }) => refusal))], ['tokens rate_limit_exceeded']);
  await trace.caughtUp();
  assert.deepEqual(trace.events, []);
  assert.deepEqual(await stateOf(cluster.books, key.tenant), before);

  const small = await caller.call({ key, maxTokens: 50 });
  assert.equal(small.status, 200, `${small.refusal}`);
  const left = Number(small.headers['x-ratelimit-remaining-tokens']);
  t.diagnostic(`${left} of ${BURST} tokens left behind the small one`);
  assert.ok(left > 200, `${left}`);
});

/** Everything that admission could have written for a tenant, by name. */
async function stateOf({ client }: RedisBooks, tenant: string): Promise<Record<string, string>> {
  const written = /:(account|tickets|leases|usage)/;
  const names = (await client.keys(`${keys.root(tenant)}:*`)).filter((name) => written.test(name));
  const state: Record<string, string> = {};
  for (const name of names.sort()) state[name] = String(await client.dump(name));
  return state;
}
