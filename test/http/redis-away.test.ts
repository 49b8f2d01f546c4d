/** Without Redis a known key is served as ever, and an unknown one gets a 503 soon: never 401, never a long wait. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { assertRefused, bearer, chat, type Reply, send } from './client.ts';

const ANSWER_MS_MAX = 500;

let upstream: TestUpstream;
let redis: TestRedis;
let gateway: TestGateway;
/** Made, but never shown to the gateway. */
let unknown: string;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  redis = await startRedis();
  gateway = await startGateway({
    redis,
    config: {
      keys: { cache_seconds: 0.5 },
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
    },
  });
  ({ key: unknown } = await gateway.createKey());
  assert.equal((await call(gateway.key)).status, 200);
});

after(async () => {
  await gateway.stop();
  await redis.stop();
  await upstream.stop();
});

async function holds(report: (text: string) => void): Promise<void> {
  let slowestMs = 0;
  const endAtMs = performance.now() + 1_200;
  // Longer than a record is good for, so that it serves in its grace.
  while (performance.now() < endAtMs) {
    const served = await call(gateway.key);
    assert.equal(served.status, 200, served.body.toString());
    const refused = await call(unknown);
    assertRefused(refused, 'store_unavailable');
    assert.equal(refused.headers['retry-after'], '1');
    slowestMs = Math.max(slowestMs, served.tookMs, refused.tookMs);
  }
  const malformed = await call(`${unknown.slice(0, -1)}_`);
  assertRefused(malformed, 'invalid_api_key');
  assert.equal((await send(gateway.adminUrl, '/ready', { method: 'GET' })).status, 200);
  report(`slowest answer: ${slowestMs.toFixed(0)} ms`);
  assert.ok(slowestMs < 3 * ANSWER_MS_MAX, `${slowestMs} ms`);
}

test('Redis frozen', async (context) => {
  redis.pause();
  await holds((text) => context.diagnostic(text));
  redis.resume();
  await until(async () => (await call(unknown)).status === 200, 'an unknown key to be looked up again');
  // Forgotten again for the next test.
  ({ key: unknown } = await gateway.createKey());
});

test('Redis killed', async (context) => {
  process.kill(redis.pid, 'SIGKILL');
  await holds((text) => context.diagnostic(text));
});

test('what only Redis knows is answered 503 by the admin API', async () => {
  const startedAtMs = performance.now();
  const { status } = await gateway.admin('GET', '/keys');
  assert.equal(status, 503);
  assert.ok(performance.now() - startedAtMs < 3 * ANSWER_MS_MAX);
});

function call(key: string): Promise<Reply> {
  return send(gateway.url, '/v1/chat/completions', { headers: bearer(key), body: chat() });
}
