/** The holder of a key sees what it may do and has done, at no cost, whatever is spent; without Redis soon a 503. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { redisKeys } from '../../src/redis/keys.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { assertRefused, bearer, type Reply, send } from './client.ts';

const ANSWER_MS_MAX = 500;
const keys = redisKeys('sluice');

let redis: TestRedis;
let gateway: TestGateway;
let client: Redis;

before(async () => {
  redis = await startRedis();
  // A busy machine must not look like a lost Redis.
  gateway = await startGateway({ redis, config: { redis: { command_timeout_ms: 2_000 } } });
  client = new Redis(redis.url);
  client.on('error', () => undefined);
});

after(async () => {
  client.disconnect();
  await gateway.stop();
  await redis.stop();
});

/** Made with a quota of requests of which all, and more, is used. */
async function spentKey(): Promise<{ id: string; key: string }> {
  const limits = { requests_per_minute: 6, burst_requests: 2 };
  const made = await gateway.createKey({
    tenant: 'spent',
    limits,
    quotas: [{ period: 'total', requests: 3 }],
  });
  await client.hset(keys.account('spent', `key:${made.id}`), '5', '0 4 0 0 0 0');
  return made;
}

test('the fields that older clients read stand at the top, beside the richer ones', async () => {
  const { id, key } = await gateway.createKey({ tenant: 'team', name: 'web' });
  const day = new Date().toISOString().slice(0, 10);
  await client.sadd(keys.usageIndex('team', day.slice(0, 7)), `${id} org/m`, 'key_other org/m');
  await client.hset(keys.usage('team', day, id, 'org/m'), {
    c: 4,
    e: 1,
    i: 100,
    o: 20,
    g: 1_500,
    n: 2_000_000,
    d: 6_000,
  });
  await client.hset(keys.usage('team', day, 'key_other', 'org/m'), { c: 1_000 });
  const reply = await usage(key);
  assert.equal(reply.status, 200, reply.body.toString());
  assert.equal(reply.headers['cache-control'], 'no-store');
  const { created_at, limits, last_seven_days, ...body } = JSON.parse(reply.body.toString());
  assert.ok(Math.abs(Date.parse(created_at) - Date.now()) < 60_000);
  assert.deepEqual(body, {
    ...{ object: 'usage', user_id: id, user_name: 'web', tenant: 'team' },
    ...{ rate_limit: null, used_quota: null, total_quota: null, remaining_quota: null, expires_at: null },
    recent_stats: { total_calls: 4, total_time: 6, avg_time: 1.5 },
    quotas: { key: [], tenant: [] },
  });
  assert.deepEqual(Object.keys(limits), ['key', 'tenant']);
  assert.equal(last_seven_days.length, 7);
  const { by_model, ...today } = last_seven_days[6];
  assert.deepEqual(today, {
    ...{
      date: day,
      calls: 4,
      errors: 1,
      lost: 0,
      input_tokens: 100,
      output_tokens: 20,
      cached_tokens: 0,
      images: 0,
    },
    ...{
      gpu_seconds: 1.5,
      cost_usd: 0.002,
      cost_nano_usd: 2_000_000,
      duration_seconds: 6,
      mean_seconds: 1.5,
    },
  });
  assert.deepEqual(
    by_model.map(({ model, calls }: Record<string, unknown>) => [model, calls]),
    [['org/m', 4]],
  );
});

test('it answers when the quota is spent, as often as one likes, and takes nothing', async () => {
  const { id, key } = await spentKey();
  const replies = await Promise.all(Array.from({ length: 30 }, () => usage(key)));
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([200]));
  const body = JSON.parse(replies[0]?.body.toString() ?? '');
  assert.deepEqual([body.rate_limit, body.used_quota, body.total_quota, body.remaining_quota], [6, 4, 3, 0]);
  assert.equal(await client.hget(keys.account('spent', `key:${id}`), '5'), '0 4 0 0 0 0');
  assert.equal(await client.exists(keys.tickets('spent')), 0);
});

test('nobody sees it without a key, and it can only be read', async () => {
  assertRefused(await usage('nonsense'), 'invalid_api_key');
  assertRefused(await send(gateway.url, '/v1/usage', { headers: bearer(gateway.key) }), 'method_not_allowed');
  const head = await send(gateway.url, '/v1/usage', { method: 'HEAD', headers: bearer(gateway.key) });
  assert.deepEqual([head.status, head.body.length], [200, 0]);
});

test('Redis frozen, then known to be away: 503 soon, to a key that is known', async (context) => {
  const impatient = await startGateway({ redis });
  context.after(() => impatient.stop());
  const known = await send(impatient.url, '/v1/models', { method: 'GET', headers: bearer(impatient.key) });
  assert.equal(known.status, 200);
  redis.pause();
  const replies: Reply[] = [];
  for (let count = 0; count < 5; count += 1) replies.push(await usage(impatient.key, impatient));
  for (const reply of replies) {
    assertRefused(reply, 'store_unavailable');
    assert.equal(reply.headers['retry-after'], '1');
  }
  const slowestMs = Math.max(...replies.map(({ tookMs }) => tookMs));
  context.diagnostic(`slowest answer: ${slowestMs.toFixed(0)} ms`);
  assert.ok(slowestMs < 3 * ANSWER_MS_MAX, `${slowestMs} ms`);
  redis.resume();
});

function usage(key: string, of = gateway): Promise<Reply> {
  return send(of.url, '/v1/usage', { method: 'GET', headers: bearer(key) });
}
