/** A copy that was made under load and put back into an empty Redis: the same keys, limits, usage and jobs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { redisKeys } from '../../../src/redis/keys.ts';
import { createSimulator } from '../../../src/simulator/server.ts';
import { type TestGateway, until } from '../../support/gateway.ts';
import { JobCaller, MODEL } from '../jobs/support/caller.ts';
import { noteCalls } from '../jobs/support/gpu.ts';
import { RedisBooks } from '../support/books.ts';
import { openSite, runRole, scratch } from './support/ground.ts';

const keys = redisKeys('sluice');
const SETTLED = 40;
const WAITING = 30;
const RUNNING = 2;
const CALLERS = 4;
const QUOTAS = [{ period: 'total', requests: 100_000, tokens: 100_000_000 }];

test('a backup under load gives the same keys, limits, usage and jobs, and each job runs once from there', {
  timeout: 60_000,
}, async (t) => {
  const simulator = createSimulator({ models: [MODEL], tokens: 4 });
  t.after(() => simulator.close());
  const { url } = await simulator.listen('127.0.0.1', 0);
  const gpuCalls = noteCalls(simulator, () => undefined);
  const config = {
    upstreams: [{ name: 'gpu', url, api_key_env: 'GPU_KEY' }],
    models: [{ name: MODEL, upstreams: ['gpu'] }],
    worker: { concurrency: RUNNING },
  };
  const file = (await scratch(t))('under-load.backup');
  const site = await openSite(t, config);
  const first = await site.startGateway();
  await site.startWorker('first');
  const calm = await first.createKey({ tenant: 'calm', quotas: QUOTAS, limits: { max_concurrent: 50 } });
  const busy = await first.createKey({
    tenant: 'busy',
    quotas: QUOTAS,
    limits: { max_concurrent: 2 * CALLERS },
  });
  const revoked = await first.createKey({ tenant: 'calm' });
  assert.equal((await first.admin('DELETE', `/keys/${revoked.id}`)).status, 200);
  const books = new RedisBooks(site.urls.REDIS_URL);
  t.after(() => books.close());

  for (let index = 0; index < SETTLED; index += 1) await call(first, calm.key);
  simulator.state.addFault({ prompt: '[long-', first_token_ms: 120_000 });
  const caller = new JobCaller([first.url]);
  t.after(() => caller.close());
  const jobs: string[] = [];
  for (let index = 0; index < RUNNING; index += 1) {
    const { job } = await caller.post({ key: calm.key, name: 'long' });
    jobs.push(String(job));
  }
  await simulator.state.until(({ running }) => running === RUNNING);
  const once = { 'idempotency-key': 'the-first-that-waits' };
  for (let index = 0; index < WAITING; index += 1) {
    const { job } = await caller.post({ key: calm.key, ...(index === 0 && { headers: once }) });
    jobs.push(String(job));
  }
  await until(async () => (await books.books('calm')).lines.length === SETTLED);

  const load = callSteadily(first, busy.key);
  await until(() => load.done() >= 20);
  const before = { done: load.done(), quota: await books.account('busy', `key:${busy.id}`) };
  const made = await runRole(['backup', file], site.urls);
  assert.equal(made.code, 0, made.err);
  const after = { begun: load.begun() };
  await load.end();
  await until(async () => (await books.outstanding('busy')).open.length === 0);
  const original = await stateOf(site.urls.REDIS_URL, 'calm');
  await site.killAll();
  const callsBefore = gpuCalls.length;
  simulator.state.clearFaults();

  const other = await openSite(t, config);
  const restored = await runRole(['restore', file], other.urls);
  assert.equal(restored.code, 0, restored.err);
  assert.match(restored.out, new RegExp(`${jobs.length} jobs wait, 0 have ended`));
  t.diagnostic(made.out.trim());
  t.diagnostic(restored.out.trim());

  // Nothing of this tenant was settled while the copy was made, so nothing of it may differ.
  assert.deepEqual(await stateOf(other.urls.REDIS_URL, 'calm'), original);
  const copied = new RedisBooks(other.urls.REDIS_URL);
  t.after(() => copied.close());
  const { quotaRequests } = await copied.account('busy', `key:${busy.id}`);
  const { ofTenant } = await copied.books('busy');
  t.diagnostic(
    `calls of the busy tenant: ${before.done} had ended before, ${after.begun} begun by the end; in the copy ` +
      `${ofTenant.calls} booked, ${quotaRequests} of its quota`,
  );
  assert.ok(quotaRequests >= before.quota.quotaRequests && quotaRequests <= after.begun);
  assert.ok(ofTenant.calls >= before.done - CALLERS && ofTenant.calls <= after.begun);
  assert.ok(Math.abs(ofTenant.calls - quotaRequests) <= after.begun - before.done + CALLERS);
  assert.deepEqual(
    (await copied.outstanding('busy')).slots,
    await zeroSlots(copied, 'busy'),
    'no slot is taken',
  );

  const second = await other.startGateway();
  const again = await new JobCaller([second.url]).post({
    key: calm.key,
    headers: once,
    prompt: 'other words',
  });
  assert.equal(again.status, 422, 'its Idempotency-Key is known');
  for (let index = 0; index < 2 * CALLERS; index += 1) await call(second, busy.key);
  const refused = await ask(second, revoked.key);
  assert.equal(refused.status, 401);
  await other.startWorker('second');
  const reader = new JobCaller([second.url]);
  t.after(() => reader.close());
  for (const job of jobs) {
    const reading = await reader.untilOver(job, calm.key, 30_000);
    assert.equal(reading.status, 'completed');
  }
  const ofJobs = gpuCalls.slice(callsBefore).filter(({ by }) => by === 'second');
  assert.equal(ofJobs.length, jobs.length);
  assert.equal(new Set(ofJobs.map(({ request }) => request)).size, jobs.length, 'each has run once');
  await until(async () => (await copied.books('calm')).ofTenant.calls === SETTLED + jobs.length);
  assert.equal((await copied.account('calm', `key:${calm.id}`)).quotaRequests, SETTLED + jobs.length);
  await until(async () => (await copied.outstanding('calm')).open.length === 0);
});

async function ask(gateway: TestGateway, key: string): Promise<Response> {
  return fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'hello' }] }),
  });
}

async function call(gateway: TestGateway, key: string): Promise<void> {
  const answer = await ask(gateway, key);
  assert.equal(answer.status, 200, await answer.text());
}

function callSteadily(gateway: TestGateway, key: string) {
  let [begun, done, isOver] = [0, 0, false];
  const one = async () => {
    while (!isOver) {
      begun += 1;
      await call(gateway, key);
      done += 1;
    }
  };
  const all = Array.from({ length: CALLERS }, one);
  return {
    begun: () => begun,
    done: () => done,
    async end() {
      isOver = true;
      await Promise.all(all);
    },
  };
}

/** Everything of a tenant on the server of limits but what runs: slots, leases, and the slots that tickets hold. */
async function stateOf(url: string, tenant: string): Promise<Record<string, unknown>> {
  const client = new Redis(url);
  const state: Record<string, unknown> = {};
  for (const name of (await client.keys(`${keys.root(tenant)}:*`)).sort()) {
    const type = await client.type(name);
    if (type === 'string') state[name] = await client.get(name);
    if (type === 'zset') state[name] = await client.zrange(name, 0, '-1');
    if (type === 'set') state[name] = (await client.smembers(name)).sort();
    if (type === 'stream') state[name] = await client.xrange(name, '-', '+');
    if (type === 'hash') {
      const { n: _slots, ...fields } = await client.hgetall(name);
      if (name === keys.tickets(tenant)) state[name] = Object.keys(fields).sort();
      else state[name] = fields;
    }
    if (name.includes(':usage:')) state[`${name} expires`] = await client.pexpiretime(name);
  }
  client.disconnect();
  return state;
}

async function zeroSlots(books: RedisBooks, tenant: string): Promise<Record<string, number>> {
  const accounts = await books.client.keys(keys.account(tenant, '*'));
  return Object.fromEntries(accounts.map((name) => [name, 0]));
}
