import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Replicas } from '../../src/admission/replicas.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { startRedis } from '../support/redis.ts';
import { openGround, quiet, until } from './ground.ts';

function member(
  t: TestContext,
  redis: RedisConnection,
  inFlight: Record<string, number> = {},
  hasShare = true,
): Replicas {
  const replicas = new Replicas({ redis, version: '1.2.3', hasShare, inFlight: () => inFlight, log: quiet });
  t.after(() => replicas.stop());
  replicas.start();
  return replicas;
}

async function roll(connection: RedisConnection): Promise<Record<string, string>> {
  const answer = await connection.ask((client) => client.hgetall(connection.keys.replicas()));
  assert.ok(answer.ok);
  return answer.value;
}

async function put(connection: RedisConnection, id: string, silentMs: number): Promise<void> {
  const answer = await connection.ask(async (client) => {
    const [seconds] = await client.time();
    const report = { at_ms: Number(seconds) * 1_000 - silentMs, version: '1.2.3', in_flight: { gpu: 5 } };
    return client.hset(connection.keys.replicas(), id, JSON.stringify(report));
  });
  assert.ok(answer.ok);
}

test('replicas find each other within two heartbeats and add up what the others are doing', async (t) => {
  const { connect } = await openGround(t);
  const one = member(t, await connect(), { a: 1 });
  const two = member(t, await connect(), { a: 10, b: 2 });
  const three = member(t, await connect(), { a: 100 });
  await until(() => [one, two, three].every((each) => each.alive() === 3), 12_000);
  assert.equal(new Set([one.id, two.id, three.id]).size, 3);
  assert.match(one.id, /^[0-9a-z]{8}$/);
  assert.equal(one.inFlightOfOthers('a'), 110);
  assert.equal(two.inFlightOfOthers('a'), 101);
  assert.equal(two.inFlightOfOthers('b'), 0);
  assert.equal(two.inFlightOfOthers('constructor'), 0);
});

test('a worker has no share of the limits, but what it is doing counts', async (t) => {
  const { connect } = await openGround(t);
  const one = member(t, await connect());
  const two = member(t, await connect());
  member(t, await connect(), { a: 7 }, false);
  await until(() => one.alive() === 2 && one.inFlightOfOthers('a') === 7, 12_000);
  assert.equal(two.alive(), 2);
});

test('a replica is never fewer than one, not even before Redis was there', async (t) => {
  const { redis, connect } = await openGround(t);
  const connection = await connect();
  redis.pause();
  await until(() => connection.state() === 'degraded');
  const alone = member(t, connection);
  assert.equal(alone.alive(), 1);
  redis.resume();
});

test('one that is silent for ten seconds does not count, and after a minute it is taken out', async (t) => {
  const { connect, connection } = await openGround(t);
  await put(connection, 'lively', 3_000);
  await put(connection, 'silent', 12_000);
  await put(connection, 'gone', 62_000);
  await put(connection, 'future', -3_600_000);
  await connection.ask((client) => client.hset(connection.keys.replicas(), 'broken', 'no report'));
  const one = member(t, await connect());
  await until(() => one.alive() === 2);
  assert.equal(one.inFlightOfOthers('gpu'), 5);
  assert.deepEqual(Object.keys(await roll(connection)).sort(), [one.id, 'lively', 'silent'].sort());
});

test('a replica that stops takes its leave', async (t) => {
  const { connect, connection } = await openGround(t);
  const one = member(t, await connect());
  await until(async () => one.id in (await roll(connection)));
  await one.stop();
  assert.deepEqual(await roll(connection), {});
});

test('the number stays while Redis is away, and when Redis comes back empty', async (t) => {
  const { redis, connect, connection } = await openGround(t);
  await put(connection, 'second', 0);
  await put(connection, 'third', 0);
  const own = await connect();
  const one = member(t, own);
  await until(() => one.alive() === 3);
  await redis.stop();
  await until(() => own.state() === 'degraded');
  assert.equal(one.alive(), 3);
  const empty = await startRedis({ port: redis.port });
  t.after(() => empty.stop());
  await until(async () => own.state() === 'ok' && one.id in (await roll(own)), 5_000);
  assert.equal(one.alive(), 3);
});
