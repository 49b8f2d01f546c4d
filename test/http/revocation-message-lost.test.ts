/**
 * A change whose message never arrives at a replica holds there within the cache time, however hot the key; for calls of
 * models at once, because admission compares versions.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createSimulator } from '../../src/simulator/server.ts';
import { type DeafProxy, startDeafProxy } from '../support/deaf-proxy.ts';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const CACHE_SECONDS = 2;

const simulator = createSimulator({ models: ['m'] });
let redis: TestRedis;
let proxy: DeafProxy;
let first: TestGateway;
let deaf: TestGateway;

before(async () => {
  const { url } = await simulator.listen('127.0.0.1', 0);
  redis = await startRedis();
  proxy = await startDeafProxy(redis);
  const config = {
    keys: { cache_seconds: CACHE_SECONDS },
    upstreams: [{ name: 'gpu', url }],
    models: [{ name: 'm', upstreams: ['gpu'] }],
  };
  first = await startGateway({ redis, config });
  deaf = await startGateway({ redis: { ...redis, url: proxy.url }, config, makeKey: false });
});
after(async () => {
  await Promise.all([first.stop(), deaf.stop()]);
  proxy.stop();
  await simulator.close();
  await redis.stop();
});

async function ask({ url }: TestGateway, key: string): Promise<number> {
  const answer = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  await answer.arrayBuffer();
  return answer.status;
}

test('refused by the deaf replica within the cache time, and at once by one that hears', async (t) => {
  const { id, key } = await first.createKey();
  assert.equal(await ask(deaf, key), 200);
  const droppedBefore = proxy.dropped();
  assert.equal((await first.admin('DELETE', `/keys/${id}`)).status, 200);
  const revokedAtMs = performance.now();
  assert.equal(await ask(first, key), 401);
  let servedAtMs = revokedAtMs;
  await until(async () => {
    const sentAtMs = performance.now();
    if ((await ask(deaf, key)) === 401) return true;
    servedAtMs = sentAtMs;
    return false;
  }, 'the key to be refused');
  const tookMs = servedAtMs - revokedAtMs;
  t.diagnostic(`served for ${tookMs.toFixed(0)} ms more`);
  assert.ok(proxy.dropped() > droppedBefore, 'the message was lost');
  assert.ok(tookMs > 0, 'it was served for a while: nothing else told the replica');
  assert.ok(tookMs <= CACHE_SECONDS * 1_000 + 250, `${tookMs} ms`);
});

test('a scope that was taken away holds for the next call of a model, although its message was lost', async () => {
  const { id, key } = await first.createKey();
  const chat = async () => {
    const answer = await fetch(`${deaf.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'Hello' }] }),
    });
    await answer.arrayBuffer();
    return answer.status;
  };
  assert.equal(await chat(), 200);
  const droppedBefore = proxy.dropped();
  assert.equal((await first.admin('PATCH', `/keys/${id}`, { scopes: ['usage'] })).status, 200);
  assert.deepEqual([await chat(), await chat()], [403, 403]);
  assert.ok(proxy.dropped() > droppedBefore, 'the message was lost');
});
