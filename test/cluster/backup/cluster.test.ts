/** Every type of key, short and long, comes from a Redis Cluster and goes into one. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { connectForBackup } from '../../../src/redis/backup/connection.ts';
import { dataIn } from '../../../src/redis/backup/target.ts';
import { redisKeys } from '../../../src/redis/keys.ts';
import { redisConfig } from '../../redis/ground.ts';
import { startRedis } from '../../support/redis.ts';
import { startRedisCluster } from '../../support/redis-cluster.ts';
import { runRole, scratch } from './support/ground.ts';

const keys = redisKeys('sluice');
const LONG = 2_000;
const CHUNKS = 12;

test('a backup of one server goes into a Cluster, and that of the Cluster into another server, unchanged', {
  timeout: 60_000,
}, async (t) => {
  const inFolder = await scratch(t);
  const [first, cluster, last] = await Promise.all([startRedis(), startRedisCluster(), startRedis()]);
  t.after(() => Promise.all([first.stop(), cluster.stop(), last.stop()]));
  const client = new Redis(first.url);
  t.after(() => client.disconnect());
  for (const tenant of ['a', 'b', 'c', 'd', 'e']) await fill(client, tenant);
  const original = await contents(t, first.url);

  const env = { into: { REDIS_URL: cluster.url }, back: { REDIS_URL: last.url } };
  await succeeds(['backup', inFolder('single')], { REDIS_URL: first.url });
  await succeeds(['restore', inFolder('single')], env.into);
  await succeeds(['backup', inFolder('cluster')], env.into);
  await succeeds(['restore', inFolder('cluster')], env.back);
  assert.deepEqual(await contents(t, last.url), original);
  assert.ok((await dataOf(t, cluster.url)) > 0);
});

/** As a restore that is not forced looks for it. */
async function dataOf(t: TestContext, url: string): Promise<number> {
  const client = await connectForBackup(redisConfig(url));
  t.after(() => client.disconnect());
  return dataIn({ client, keys }, 'limits', 1);
}

async function succeeds(words: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const { code, err } = await runRole(words, env);
  assert.equal(code, 0, err);
}

async function fill(client: Redis, tenant: string): Promise<void> {
  const steps = client.pipeline();
  steps.set(keys.key(tenant, 'k'), '{"name":"é"}');
  steps.set(keys.secret(`digest-${tenant}`), 'p', 'PXAT', Date.now() + 3_600_000);
  steps.hset(keys.account(tenant, 'tenant'), '5', '0 1 2 3 4 5');
  steps.sadd(keys.usageIndex(tenant, '2026-11'), 'k m', 'k n');
  for (let index = 0; index < LONG; index += 1) {
    steps.zadd(keys.keysOf(tenant), index + 0.5, `key_${index}`);
    steps.xadd(keys.calls(tenant), `${index + 1}-0`, 'id', index);
    steps.hset(keys.onceSizes(tenant), `d${index}`, index);
    steps.sadd(keys.usageIndex(tenant, '2026-10'), `k${index} m`);
  }
  const noise = Buffer.from(Array.from({ length: 255 * 1024 }, (_, index) => (index * index) % 251));
  for (let index = 0; index < CHUNKS; index += 1) steps.hset(keys.payload(`job_${tenant}`), index, noise);
  steps.pexpire(keys.payload(`job_${tenant}`), 3_600_000);
  for (const [error] of (await steps.exec()) ?? []) assert.equal(error, null);
}

async function contents(t: TestContext, url: string): Promise<Record<string, unknown>> {
  const client = (await connectForBackup(redisConfig(url))) as Redis;
  t.after(() => client.disconnect());
  const all: Record<string, unknown> = {};
  for (const name of await client.keys('*')) {
    const [type, ends, , members] = await client.readKeyBuffer(name, 10 * LONG, 0);
    const flat = members.flat(2).map((member) => member.toString('latin1'));
    all[name] = [type.toString(), ends, /hash|set/.test(type.toString()) ? flat.sort() : flat];
  }
  return all;
}
