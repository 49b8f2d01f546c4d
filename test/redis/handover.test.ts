import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { until } from '../support/gateway.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { startSentinels } from '../support/redis-sentinel.ts';
import { connected, lightLoad, redisConfig, runTicket } from './ground.ts';

/** How often others were told that the primary is another one. */
function countReturns(connection: RedisConnection) {
  const count = { returns: 0 };
  connection.onReturn(() => {
    count.returns += 1;
  });
  return count;
}

test('a Cluster whose primary hands over, and cuts all connections, stops nobody; writes that must last do', async (t) => {
  const cluster = await startRedisCluster();
  t.after(() => cluster.stop());
  const connection = await connected(t, redisConfig(cluster.url));
  const load = lightLoad(connection);
  t.after(() => load.stop());
  const count = countReturns(connection);
  const slot = Number(await cluster.call(cluster.ports[0] ?? 0, 'cluster', 'keyslot', '{acme}'));

  const shares = (await cluster.call(cluster.ports[0] ?? 0, 'cluster', 'slots')) as [
    ...[number, number],
    ...[string, number][],
  ][];
  const share = shares.find(([from, to]) => from <= slot && slot <= to);
  assert.equal(await cluster.call(share?.[3]?.[1] ?? 0, 'cluster', 'failover'), 'OK');
  await until(() => count.returns > 0, 'the new primary to be noticed');
  t.diagnostic(`handed over: ${load.failures} errors`);
  assert.ok(load.failures <= 5);
  assert.equal(await runTicket(connection, 'acme', 1), 'open');

  await cluster.untilWhole();
  const before = load.failures;
  for (const port of cluster.ports) {
    await cluster.call(port, 'client', 'kill', 'type', 'normal', 'skipme', 'yes');
  }
  await until(async () => (await runTicket(connection, 'acme', 1 + load.failures)) === 'open');
  t.diagnostic(`cut: ${load.failures - before} errors`);

  const written = await connection.durable((client) => client.set('{acme}x', 'kept'), '{acme}x');
  assert.deepEqual(written, { ok: true, value: 'OK' });
  await cluster.killPrimary(slot);
  await until(async () => {
    const kept = await connection.ask((client) => client.get('{acme}x'));
    return kept.ok && kept.value === 'kept';
  }, 'the write to be there after the failover');
});

test('Sentinels that hand over to another primary cost at most seconds, and the old one is left at their word', async (t) => {
  const sentinels = await startSentinels();
  t.after(() => sentinels.stop());
  const connection = await connected(t, redisConfig(sentinels.url));
  const load = lightLoad(connection);
  t.after(() => load.stop());
  const count = countReturns(connection);
  assert.ok((await connection.durable((client) => client.set('x', 'kept'), 'x')).ok);

  const old = await sentinels.primaryPort();
  const begunMs = performance.now();
  await sentinels.call(sentinels.sentinelPorts[0] ?? 0, 'sentinel', 'failover', 'main');
  await until(() => count.returns > 0, 'the new primary to be noticed');
  const outageMs = await load.outage(begunMs, 500, 15_000);
  t.diagnostic(`handed over: errors until ${Math.round(outageMs)} ms, ${load.failures} in all`);
  assert.notEqual(await sentinels.primaryPort(), old);
  assert.equal(await runTicket(connection, 'acme', 1), 'open');
  assert.deepEqual(await connection.ask((client) => client.get('x')), { ok: true, value: 'kept' });
  // Refused while the replicas are still changing sides.
  await until(async () => (await connection.durable((client) => client.set('x', 'again'), 'x')).ok);
});
