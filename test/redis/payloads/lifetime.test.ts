/** Nothing stays in Redis for longer than it was meant to. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { connected, redisConfig } from '../ground.ts';
import { HOUR_MS, payloadGround, someBody, value } from './ground.ts';

let redis: TestRedis;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

test('a body has its lifetime from the first chunk on, so that a write that breaks off leaves nothing', async (t) => {
  const { table, connection, raw } = await payloadGround(t, redis.url);
  const watcher = await connected(t, redisConfig(redis.url));
  const lifetimes = new Set<number>();
  const key = connection.keys.payload('job_1');
  let writing = true;
  const writes = table.writeRequest('job_1', someBody(20_000_000), HOUR_MS).finally(() => {
    writing = false;
  });
  while (writing) lifetimes.add(value(await watcher.ask((client) => client.pttl(key))));
  value(await writes);
  lifetimes.add(await raw((client) => client.pttl(key)));
  assert.ok(!lifetimes.has(-1), 'it stood there without a lifetime');
  assert.ok(lifetimes.size > 3, `looked ${lifetimes.size} times`);

  await raw((client) => client.hdel(key, 'about'));
  await raw((client) => client.pexpire(key, 20));
  while (await raw((client) => client.exists(key)));
});

test('an expired body is missing, and what was kept longer is not', async (t) => {
  const { table, raw } = await payloadGround(t, redis.url);
  await table.writeRequest('job_2', someBody(1_000), 50);
  await table.writeRequest('job_3', someBody(1_000), 50);
  assert.equal(value(await table.keepRequest('job_3', HOUR_MS)), true);
  while (value(await table.readRequest('job_2')).kind !== 'missing');
  assert.equal(value(await table.readRequest('job_3')).kind, 'whole');
  assert.equal(value(await table.keepRequest('job_2', HOUR_MS)), false);
  assert.equal(await raw((client) => client.exists('job_2')), 0);
});

test('a write that takes longer than the lifetime says so', async (t) => {
  const { table } = await payloadGround(t, redis.url);
  assert.equal(value(await table.writeRequest('job_4', someBody(5_000_000), 1)), 'damaged');
});

test('deleting takes the request and what all attempts have left', async (t) => {
  const { table, raw } = await payloadGround(t, redis.url);
  await raw((client) => client.flushall());
  await table.writeRequest('job_5', someBody(1_000), HOUR_MS);
  for (const attempt of [1, 2, 3]) {
    await table.writeResult('job_5', attempt, someBody(1_000), HOUR_MS);
    const writer = table.pieces.begin('job_5', attempt, { lifetimeMs: HOUR_MS, bytesMax: 1_000 });
    writer.append(Buffer.from('data: 1\n\n'));
    value(await writer.close(1_000));
  }
  assert.equal(await raw((client) => client.dbsize()), 7);
  value(await table.delete('job_5', 3));
  assert.equal(await raw((client) => client.dbsize()), 0);
});
