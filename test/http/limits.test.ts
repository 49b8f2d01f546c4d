/** A caller at its limits: what it is told, and what it pays. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createSimulator, type Simulator } from '../../src/simulator/server.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

let simulator: Simulator;
let gateway: TestGateway;

before(async () => {
  simulator = createSimulator({ models: ['m'], tokenMs: 1 });
  const { url } = await simulator.listen('127.0.0.1', 0);
  const prices = { input_per_million_usd: 1, output_per_million_usd: 2 };
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'one', url }],
      models: [{ name: 'm', upstreams: ['one'], prices }],
    },
  });
});
after(async () => {
  await gateway.stop();
  await simulator.close();
});

async function call(key: string, body: Record<string, unknown> = {}) {
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hello' }], ...body }),
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Answer };
}

interface Answer {
  readonly error?: { readonly message: string; readonly type: string; readonly code: string };
  readonly usage: { readonly total_tokens: number };
}

test('each answer says how much is left, and the one behind the limit when to come back', async () => {
  const limits = { requests_per_minute: 60, burst_requests: 2, tokens_per_minute: 100_000 };
  const { key } = await gateway.createKey({ tenant: 'rates', limits });
  const first = await call(key, { max_tokens: 8 });
  assert.equal(first.status, 200, JSON.stringify(first.body));
  assert.equal(first.headers.get('x-ratelimit-limit-requests'), '60');
  assert.equal(first.headers.get('x-ratelimit-remaining-requests'), '1');
  assert.equal(first.headers.get('x-ratelimit-limit-tokens'), '100000');
  assert.match(first.headers.get('x-ratelimit-reset-requests') ?? '', /^\d+(\.\d+)?m?s$/);
  assert.match(first.headers.get('ratelimit-policy') ?? '', /^"requests";q=2;w=2;qu="requests", "tokens";q=/);
  assert.match(first.headers.get('ratelimit') ?? '', /^"requests";r=1;t=1, "tokens";r=/);
  assert.equal((await call(key, { max_tokens: 8 })).status, 200);
  const third = await call(key, { max_tokens: 8 });
  assert.equal(third.status, 429);
  assert.equal(third.body.error?.code, 'rate_limit_exceeded');
  assert.equal(third.body.error?.type, 'requests');
  assert.match(third.body.error?.message ?? '', /60 requests per minute/);
  assert.equal(third.headers.get('retry-after'), '1');
  assert.equal(third.headers.get('x-should-retry'), 'true');
  const waitMs = Number(third.headers.get('retry-after-ms'));
  assert.ok(waitMs > 0 && waitMs <= 1_000, `${waitMs} ms`);
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  assert.equal((await call(key, { max_tokens: 8 })).status, 200);
});

test('a quota that is spent refuses without a Retry-After, and says what is left before', async () => {
  const { key } = await gateway.createKey({ tenant: 'quotas', quotas: [{ period: 'day', requests: 2 }] });
  const first = await call(key);
  assert.equal(first.headers.get('x-quota-limit-requests'), '2');
  assert.equal(first.headers.get('x-quota-remaining-requests'), '1');
  await call(key);
  const third = await call(key);
  assert.equal(third.status, 429);
  assert.equal(third.body.error?.code, 'insufficient_quota');
  assert.equal(third.body.error?.type, 'insufficient_quota');
  assert.equal(third.headers.get('retry-after'), null);
  assert.equal(third.headers.get('x-should-retry'), 'false');
});

test('one after the other fits into one slot', async () => {
  const { key } = await gateway.createKey({ tenant: 'slots', limits: { max_concurrent: 1 } });
  for (let turn = 0; turn < 50; turn += 1) assert.equal((await call(key, { max_tokens: 1 })).status, 200);
  const both = await Promise.all([call(key, { max_tokens: 200 }), call(key, { max_tokens: 200 })]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [200, 429]);
});

test('limits that change hold at the next call, and what was used stays used', async () => {
  const { id, key } = await gateway.createKey({ tenant: 'changes', limits: { requests_per_minute: 1 } });
  assert.equal((await call(key)).status, 200);
  assert.equal((await call(key)).status, 429);
  const changed = await gateway.admin('PATCH', `/keys/${id}`, { limits: { requests_per_minute: 6_000 } });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  const answer = await call(key);
  assert.equal(answer.headers.get('x-ratelimit-limit-requests'), '6000');
});

test('usage is what the server counted', async () => {
  const { key } = await gateway.createKey({ tenant: 'books' });
  const answers = [await call(key), await call(key, { max_tokens: 5 })];
  const tokens = answers.reduce((sum, { body }) => sum + body.usage.total_tokens, 0);
  const usage = await fetch(`${gateway.url}/v1/usage`, { headers: { authorization: `Bearer ${key}` } });
  const page = (await usage.json()) as { last_seven_days: Record<string, number>[] };
  const today = page.last_seven_days.at(-1) ?? page.last_seven_days[0];
  assert.equal(today?.calls, 2, JSON.stringify(page));
  assert.equal(Number(today?.input_tokens) + Number(today?.output_tokens), tokens);
});
