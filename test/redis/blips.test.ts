import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { until } from '../support/gateway.ts';
import { startRedis } from '../support/redis.ts';
import { connected, lightLoad, listen, redisConfig, runTicket } from './ground.ts';

test('a server that forgets all scripts costs no error', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const connection = await connected(t, redisConfig(redis.url));
  for (let number = 1; number <= 20; number += 1) {
    await connection.ask((client) => client.script('FLUSH'));
    assert.equal(await runTicket(connection, 'acme', number), 'open');
  }
});

test('a connection that is cut by the server is back within half a second, and the channel is heard again', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const connection = await connected(t, redisConfig(redis.url));
  const ear = listen(connection, 'news');
  const load = lightLoad(connection);
  const operator = new Redis(redis.port);
  t.after(() => {
    ear.close();
    load.stop();
    operator.disconnect();
  });
  await until(() => ear.times > 0);
  const begunMs = performance.now();
  await operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await operator.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  const outageMs = await load.outage(begunMs, 300, 5_000);
  t.diagnostic(`errors for ${Math.round(outageMs)} ms, ${load.failures} in all`);
  assert.ok(outageMs < 500);
  await until(async () => {
    await connection.ask((client) => client.publish('news', 'again'));
    return ear.heard.includes('again');
  });
  assert.ok(ear.times >= 2, 'the subscriber knows that it may have missed something');
});

test('a primary that becomes a replica in place counts as away, and as back when it is primary again', async (t) => {
  const primary = await startRedis();
  const redis = await startRedis();
  t.after(() => Promise.all([primary.stop(), redis.stop()]));
  const connection = await connected(t, redisConfig(redis.url));
  const operator = new Redis(redis.port);
  t.after(() => operator.disconnect());
  let returned = 0;
  connection.onReturn(() => {
    returned += 1;
  });

  const begunMs = performance.now();
  await operator.replicaof('127.0.0.1', primary.port);
  await until(() => connection.state() === 'degraded');
  t.diagnostic(`noticed after ${Math.round(performance.now() - begunMs)} ms without any write`);
  await operator.replicaof('NO', 'ONE');
  await until(() => connection.state() === 'ok');
  assert.equal(returned, 1);
  assert.equal(await runTicket(connection, 'acme', 1), 'open');

  await operator.replicaof('127.0.0.1', primary.port);
  const write = await connection.ask((client) => client.set('x', 'y'));
  assert.equal(write.ok, false, 'a refused write is no mistake of ours');
  await until(() => connection.state() === 'degraded');
});
