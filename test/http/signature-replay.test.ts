/** A signed request counts once in the cluster, and not at all while nobody can tell whether it has come before. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { assertRefused, bearer, chat, send } from './client.ts';
import { ed25519Signer, type Signer, signed } from './signing.ts';

const CHAT = '/v1/chat/completions';
/** As both replicas are called from outside. */
const HOST = 'cluster.example.com';

let redis: TestRedis;
let upstream: TestUpstream;
let replicas: TestGateway[];
let key: { id: string; key: string };
let signer: Signer;

before(async () => {
  redis = await startRedis();
  upstream = await startUpstream(answerAsAsked);
  const config = {
    upstreams: [{ name: 'gpu', url: upstream.url }],
    models: [{ name: 'public', upstreams: ['gpu'] }],
  };
  replicas = await Promise.all([
    startGateway({ redis, config }),
    startGateway({ redis, config, makeKey: false }),
  ]);
  const [first] = replicas as [TestGateway];
  key = await first.createKey({ tenant: 'signers' });
  signer = await ed25519Signer(first, key.id);
});

after(async () => {
  await Promise.all(replicas.map((one) => one.stop()));
  await upstream.stop();
  await redis.stop();
});

function sendTo(replica: TestGateway | undefined, headers: Record<string, string>) {
  return send(replica?.url ?? '', CHAT, { headers, body: chat() });
}

function freshly(nonce?: string) {
  return signed(
    { authority: HOST, target: CHAT, body: chat() },
    signer,
    nonce === undefined ? {} : { nonce },
  );
}

test('a request that comes 100 times at once over two replicas is served once', async () => {
  const forwarded = upstream.requests.length;
  const headers = freshly();
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, at) => sendTo(replicas[at % 2], headers)),
  );
  const served = replies.filter(({ status }) => status === 200);
  assert.equal(served.length, 1);
  assert.equal(upstream.requests.length, forwarded + 1);
  for (const reply of replies.filter(({ status }) => status !== 200)) assertRefused(reply, 'invalid_api_key');
  const text = (await Promise.all(replicas.map((one) => one.logLines(1)))).flat();
  assert.ok(
    text.some(({ reason }) => reason === `signature with a nonce that was used before ${signer.keyId}`),
  );
});

test('a nonce counts once also when it is signed anew, and each signing key has its own', async () => {
  const nonce = 'the-same-nonce-for-two-keys';
  const other = await ed25519Signer(replicas[0] as TestGateway, key.id);
  assert.equal((await sendTo(replicas[0], freshly(nonce))).status, 200);
  assert.equal((await sendTo(replicas[1], freshly(nonce))).status, 401);
  const byOther = signed({ authority: HOST, target: CHAT, body: chat() }, other, { nonce });
  assert.equal((await sendTo(replicas[1], byOther)).status, 200);
});

test('a signature that does not hold spends no nonce', async () => {
  const headers = freshly();
  const altered = { ...headers, 'content-type': 'application/json; x=y' };
  assert.equal((await sendTo(replicas[0], altered)).status, 401);
  assert.equal((await sendTo(replicas[1], headers)).status, 200);
});

test('of a request with two signatures that hold, none brings it in again', async () => {
  const second = await ed25519Signer(replicas[0] as TestGateway, key.id);
  const request = { authority: HOST, target: CHAT, body: chat() };
  const one = signed(request, signer, { label: 'one' });
  const other = signed(request, second, { label: 'other' });
  const joined = (name: string) => `${one[name]}, ${other[name]}`;
  const both = { ...one, signature: joined('signature'), 'signature-input': joined('signature-input') };
  assert.equal((await sendTo(replicas[0], both)).status, 200);
  for (const again of [both, one, other]) assertRefused(await sendTo(replicas[1], again), 'invalid_api_key');
});

test('while Redis is away a signed request gets 503 within half a second, and a bearer goes on', async () => {
  const [replica] = replicas;
  assert.equal((await sendTo(replica, bearer(key.key))).status, 200);
  redis.pause();
  try {
    for (let count = 0; count < 3; count += 1) {
      const reply = await sendTo(replica, freshly());
      assertRefused(reply, 'store_unavailable');
      assert.ok(reply.tookMs < 1_500, `${reply.tookMs} ms`);
    }
    assert.equal((await sendTo(replica, bearer(key.key))).status, 200);
  } finally {
    redis.resume();
  }
});
