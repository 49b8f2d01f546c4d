/** R6: who comes back when he was told to is let in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { officialClient } from '../client/official.ts';
import { Caller, MODEL, pause } from './support/caller.ts';
import { type GatewayCluster, isLong, startCluster, type TenantKey } from './support/gateways.ts';
import type { CallRecord } from './support/history.ts';

let cluster: GatewayCluster;
test.before(async () => {
  cluster = await startCluster({ replicas: 3 });
});
test.after(() => cluster?.stop());

type WaitOf = (refused: CallRecord) => number;
const byMilliseconds: WaitOf = ({ headers }) => Number(headers['retry-after-ms']);
const bySeconds: WaitOf = ({ headers }) => 1_000 * Number(headers['retry-after']);

/** Calls again and again; after a refusal waits as told and no longer. Of how many refusals the next try got in. */
async function obey(caller: Caller, key: TenantKey, refusals: number, waitOf: WaitOf) {
  let refused = 0;
  let admittedAtOnce = 0;
  while (refused < refusals) {
    const first = await caller.call({ key, maxTokens: 1 });
    if (first.status === 200) continue;
    refused += 1;
    for (let tries = 1, last = first; last.status === 429; tries += 1) {
      await pause(waitOf(last));
      last = await caller.call({ key, maxTokens: 1 });
      if (last.status === 200 && tries === 1) admittedAtOnce += 1;
    }
  }
  return { refused, share: admittedAtOnce / refused };
}

for (const [header, waitOf, limits, count] of [
  ['retry-after-ms', byMilliseconds, { requests_per_minute: 1_200, burst_requests: 1 }, isLong ? 1_000 : 100],
  ['Retry-After', bySeconds, { requests_per_minute: 60, burst_requests: 1 }, isLong ? 100 : 6],
] as const) {
  test(`one client that obeys ${header} to the letter is admitted at its first retry`, async (t) => {
    const key = await cluster.createKey('obedient', { limits });
    const caller = new Caller(cluster);
    t.after(() => caller.close());
    const { refused, share } = await obey(caller, key, count, waitOf);
    t.diagnostic(`${(100 * share).toFixed(1)} % of ${refused} refusals`);
    assert.ok(share >= 0.99, `${share}`);
  });
}

test('a client that lacks tokens and obeys is admitted at its first retry too', async (t) => {
  const limits = { tokens_per_minute: 12_000, burst_tokens: 100 };
  const key = await cluster.createKey('obedient', { limits });
  const caller = new Caller(cluster);
  t.after(() => caller.close());
  const { refused, share } = await obey(caller, key, isLong ? 500 : 40, byMilliseconds);
  t.diagnostic(`${(100 * share).toFixed(1)} % of ${refused} refusals`);
  assert.ok(share >= 0.99, `${share}`);
});

for (const clients of [5, 20]) {
  test(`${clients} obedient clients on one key share the limit, and the figure is known`, async (t) => {
    const key = await cluster.createKey('obedient', {
      limits: { requests_per_minute: 3_000, burst_requests: 1 },
    });
    const caller = new Caller(cluster);
    t.after(() => caller.close());
    const beganMs = performance.now();
    const each = Array.from({ length: clients }, () => obey(caller, key, isLong ? 100 : 5, byMilliseconds));
    const shares = (await Promise.all(each)).map(({ share }) => share);
    const tookMs = performance.now() - beganMs;
    const admitted = caller.history.admitted().length;
    const mean = shares.reduce((sum, share) => sum + share, 0) / clients;
    const rate = (admitted * 60_000) / tookMs;
    t.diagnostic(
      `first retry admitted: ${(100 * mean).toFixed(1)} %; ${rate.toFixed(0)} admitted a minute of 3000`,
    );
    assert.ok(shares.length === clients && admitted <= 1 + (tookMs * 3_000) / 60_000 + 1);
  });
}

test('the official client, as it is, gets through a limit of 60 a minute at the rate that it allows', async (t) => {
  const calls = isLong ? 60 : 7;
  const burst = 2;
  const { key } = await cluster.createKey('official', {
    limits: { requests_per_minute: 60, burst_requests: burst },
  });
  const [gateway] = cluster.gateways;
  assert.ok(gateway);
  const client = officialClient({ url: gateway.url, key });
  const beganMs = performance.now();
  for (let call = 0; call < calls; call += 1) {
    const messages = [{ role: 'user' as const, content: 'hello' }];
    const { choices } = await client.chat.completions.create({ model: MODEL, messages, max_tokens: 1 });
    assert.equal(choices.length, 1);
  }
  const tookMs = performance.now() - beganMs;
  const leastMs = (calls - burst) * 1_000;
  t.diagnostic(`${calls} calls in ${tookMs.toFixed(0)} ms; the limit allows ${leastMs}`);
  assert.ok(tookMs >= leastMs - 50 && tookMs <= leastMs + 1_000, `${tookMs} ms`);
});
