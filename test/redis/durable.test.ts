import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { until } from '../support/gateway.ts';
import { startRedis } from '../support/redis.ts';
import { connected, redisConfig } from './ground.ts';

test('a write that must last needs no replica where there is none', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const connection = await connected(t, redisConfig(redis.url));
  assert.deepEqual(await connection.durable((client) => client.incr('x'), 'x'), { ok: true, value: 1 });
});

test('a write that must last fails in bounded time when no replica confirms it, and holds up nobody else', async (t) => {
  const redis = await startRedis();
  const replica = await startRedis({
    extra: ['--replicaof', '127.0.0.1', String(redis.port), '--repl-diskless-sync-delay', '0'],
  });
  t.after(() => Promise.all([redis.stop(), replica.stop()]));
  const operator = new Redis(redis.port);
  t.after(() => operator.disconnect());
  await operator.config('SET', 'repl-diskless-sync-delay', '0');
  await until(async () => (await operator.info('replication')).includes('state=online'), 'a replica');
  const connection = await connected(t, redisConfig(redis.url));

  let begunMs = performance.now();
  assert.deepEqual(await connection.durable((client) => client.incr('x'), 'x'), { ok: true, value: 1 });
  t.diagnostic(`confirmed after ${Math.round(performance.now() - begunMs)} ms, connecting included`);
  const copied = new Redis(replica.port);
  t.after(() => copied.disconnect());
  assert.equal(await copied.get('x'), '1');

  replica.pause();
  begunMs = performance.now();
  const waiting = connection.durable((client) => client.incr('x'), 'x');
  for (let round = 0; round < 20; round += 1) {
    assert.ok((await connection.ask((client) => client.get('x'))).ok);
  }
  assert.ok(performance.now() - begunMs < 150, 'others do not wait');
  const answer = await waiting;
  assert.ok(!answer.ok);
  assert.match(answer.failure.cause, /replica/);
  assert.ok(performance.now() - begunMs < 500);
  assert.equal(connection.state(), 'ok');
  replica.resume();
});

test('mistakes of ours in a write that must last are thrown', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const connection = await connected(t, redisConfig(redis.url));
  await connection.ask((client) => client.set('text', 'x'));
  await assert.rejects(
    connection.durable((client) => client.sadd('text', 'y'), 'text'),
    /WRONGTYPE/,
  );
});
