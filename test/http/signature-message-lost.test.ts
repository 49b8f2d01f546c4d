/** What changes about a signing key holds for the next call of a model, although the message of it was lost. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type DeafProxy, startDeafProxy } from '../support/deaf-proxy.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { chat, send } from './client.ts';
import { ed25519Signer, type Signer, signed } from './signing.ts';

const CHAT = '/v1/chat/completions';

let redis: TestRedis;
let proxy: DeafProxy;
let upstream: TestUpstream;
let first: TestGateway;
let deaf: TestGateway;

before(async () => {
  [redis, upstream] = await Promise.all([startRedis(), startUpstream(answerAsAsked)]);
  proxy = await startDeafProxy(redis);
  const config = {
    keys: { cache_seconds: 300 },
    upstreams: [{ name: 'gpu', url: upstream.url }],
    models: [{ name: 'public', upstreams: ['gpu'] }],
  };
  [first, deaf] = await Promise.all([
    startGateway({ redis, config, makeKey: false }),
    startGateway({ redis: { ...redis, url: proxy.url }, config, makeKey: false }),
  ]);
});

after(async () => {
  await Promise.all([first.stop(), deaf.stop()]);
  proxy.stop();
  await upstream.stop();
  await redis.stop();
});

async function call(signer: Signer): Promise<number> {
  const headers = signed({ authority: 'example.com', target: CHAT, body: chat() }, signer);
  return (await send(deaf.url, CHAT, { headers, body: chat() })).status;
}

test('a call that finds its limits changed is judged anew by its signing key, with the nonce that it has spent', async () => {
  const { id } = await first.createKey({ tenant: 'changed' });
  const signer = await ed25519Signer(first, id);
  assert.equal(await call(signer), 200);
  const droppedBefore = proxy.dropped();
  await first.admin('PATCH', '/tenants/changed', { limits: { requests_per_minute: 1, burst_requests: 1 } });
  const statuses = [await call(signer), await call(signer)];
  assert.deepEqual(statuses, [200, 429]);
  assert.ok(proxy.dropped() > droppedBefore, 'the message was lost');
});

test('a signing key that was taken away signs no further call of a model', async () => {
  const { id } = await first.createKey({ tenant: 'removed' });
  const [removed, left] = [await ed25519Signer(first, id), await ed25519Signer(first, id)];
  assert.deepEqual([await call(removed), await call(left)], [200, 200]);
  const droppedBefore = proxy.dropped();
  await first.admin('DELETE', `/keys/${id}/signing-keys/${removed.keyId}`);
  assert.deepEqual([await call(removed), await call(left)], [401, 200]);
  assert.ok(proxy.dropped() > droppedBefore, 'the message was lost');
});
