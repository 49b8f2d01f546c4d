/** Jobs whose Redis is a Cluster, from the request to the answer. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { createSimulator } from '../../../src/simulator/server.ts';
import { startGateway, type TestGateway, until } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { startRedisCluster, type TestCluster } from '../../support/redis-cluster.ts';
import { bearer, chat, send } from '../client.ts';
import { ask, listen, read } from './player.ts';
import { startWorker, type TestWorker } from './worker-process.ts';

const simulator = createSimulator({ models: ['public'], tokens: 3 });
let redis: TestRedis;
let cluster: TestCluster;
let one: TestGateway;
let other: TestGateway;
let worker: TestWorker;

before(async () => {
  [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
  const { url } = await simulator.listen('127.0.0.1', 0);
  const config = {
    upstreams: [{ name: 'gpu', url }],
    models: [{ name: 'public', upstreams: ['gpu'] }],
  };
  const env = { QUEUE_REDIS_URL: cluster.url };
  [one, other, worker] = await Promise.all([
    startGateway({ redis, config, env }),
    startGateway({ redis, config, env }),
    startWorker(redis, config, env),
  ]);
});
after(async () => {
  await Promise.all([one.stop(), other.stop(), worker.stop()]);
  await simulator.close();
  await Promise.all([redis.stop(), cluster.stop()]);
});

async function accepted(fields: Record<string, unknown>): Promise<string> {
  const headers = { ...bearer(one.key), prefer: 'respond-async' };
  const reply = await send(one.url, '/v1/chat/completions', { headers, body: chat(fields) });
  assert.equal(reply.status, 202, reply.body.toString());
  return String(read(reply).id);
}

test('a job is taken in by one replica, run, and its result read through another', async () => {
  const id = await accepted({});
  const job = read(await ask(other, `/${id}`, { prefer: 'wait=30' }));
  assert.equal(job.status, 'completed', JSON.stringify(job));
  assert.deepEqual(read(await ask(other, `/${id}/result`)), job.result);
  const listed = read(await ask(other, '')).data as { id: string }[];
  assert.ok(listed.some((shown) => shown.id === id));
});

test('a listener at another replica hears the stream while it is written', async () => {
  const id = await accepted({ stream: true });
  const reader = await listen(other, id);
  assert.equal(JSON.parse((await reader.until('done')).data).status, 'completed');
  assert.ok(reader.chunks().length > 2);
});

test('a job that runs is cancelled through another replica, and its call ends', async () => {
  simulator.state.addFault({ prompt: 'long', first_token_ms: 60_000 });
  const id = await accepted({ messages: [{ role: 'user', content: 'long' }] });
  await simulator.state.until(({ running }) => running === 1);
  const cancelled = read(await ask(other, `/${id}/cancel`, { method: 'POST' }));
  assert.equal(cancelled.status, 'cancelled');
  await until(() => simulator.state.counts.running === 0, 'the call to end');
  assert.equal(read(await ask(one, `/${id}`)).status, 'cancelled');
});

test('a request of several chunks comes back whole', async () => {
  // What does not compress, and is few tokens.
  const url = `data:image/png;base64,${randomBytes(600_000).toString('base64')}`;
  const content = [{ type: 'image_url', image_url: { url } }];
  const id = await accepted({ messages: [{ role: 'user', content }], max_tokens: 1 });
  const job = read(await ask(other, `/${id}`, { prefer: 'wait=30' }));
  assert.equal(job.status, 'completed', JSON.stringify(job.error));
  assert.ok(simulator.state.last?.body.includes(url));
});
