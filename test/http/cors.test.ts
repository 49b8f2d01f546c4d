/** Pages of listed origins may call and read everything, errors and streams included; others get nothing. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { bearer, chat, type Reply, send, type Wanted } from './client.ts';

const LISTED = 'https://app.example.com';
const STRANGER = 'https://evil.example.com';
const LIMIT_BYTES = 2_048;

let upstream: TestUpstream;
let redis: TestRedis;
let listed: TestGateway;
let open: TestGateway;
let off: TestGateway;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  redis = await startRedis();
  const start = (origins: string[]) =>
    startGateway({
      redis,
      config: {
        listen: { body_limit_bytes: LIMIT_BYTES },
        upstreams: [{ name: 'gpu', url: upstream.url }],
        models: [{ name: 'public', upstreams: ['gpu'] }],
        cors: { origins, max_age_seconds: 123 },
      },
    });
  [listed, open, off] = await Promise.all([
    start([LISTED, 'https://other.example.com']),
    start(['*']),
    start([]),
  ]);
});

after(async () => {
  await Promise.all([listed.stop(), open.stop(), off.stop()]);
  await redis.stop();
  await upstream.stop();
});

const exposed = [
  'x-request-id',
  'x-process-time',
  'x-should-retry',
  'openai-processing-ms',
  'retry-after',
  'server-timing',
  'x-sluice-attempts',
  'x-cache',
  'age',
  'idempotency-replayed',
  'retry-after-ms',
  'location',
  'preference-applied',
  'openai-poll-after-ms',
  'x-sluice-job',
  'ratelimit',
  'ratelimit-policy',
  ...['limit', 'remaining', 'reset'].flatMap((what) => [
    `x-ratelimit-${what}-requests`,
    `x-ratelimit-${what}-tokens`,
  ]),
  ...['limit', 'remaining'].flatMap((what) =>
    ['requests', 'tokens', 'images', 'cost-usd'].map((of) => `x-quota-${what}-${of}`),
  ),
];

function preflight(origin: string): Wanted {
  return {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,x-stainless-lang',
    },
  };
}

test('a preflight is answered 204 without a key, for any path', async () => {
  for (const path of ['/v1/chat/completions', '/v1/models', '/v1/models/public', '/health', '/nothing']) {
    const { status, headers, body } = await send(listed.url, path, preflight(LISTED));
    assert.deepEqual([status, body.length], [204, 0], path);
    assert.equal(headers['access-control-allow-origin'], LISTED);
    assert.match(String(headers['access-control-allow-methods']), /\bPOST\b/);
    assert.equal(headers['access-control-allow-headers'], 'authorization,content-type,x-stainless-lang');
    assert.equal(headers['access-control-max-age'], '123');
    assert.match(String(headers['x-request-id']), /./);
    assertVaries(headers);
  }
});

test('a preflight leaves a line in the log with its status', async () => {
  const { headers } = await send(listed.url, '/v1/models', preflight(LISTED));
  for (let count = 1; ; count += 1) {
    const line = (await listed.logLines(count)).find(
      ({ request_id }) => request_id === headers['x-request-id'],
    );
    if (!line) continue;
    assert.deepEqual([line.status, line.method, line.outcome], [204, 'OPTIONS', 'completed']);
    return;
  }
});

/** Every kind of answer. */
function* answers(gateway: TestGateway): Generator<[status: number, path: string, wanted: Wanted]> {
  const headers = bearer(gateway.key);
  const path = '/v1/chat/completions';
  yield [200, path, { headers, body: chat() }];
  yield [200, path, { headers, body: chat({ stream: true }) }];
  yield [200, '/v1/models', { headers, method: 'GET' }];
  yield [200, '/health', { method: 'GET' }];
  yield [400, path, { headers, body: '{' }];
  yield [401, path, { body: chat() }];
  yield [404, path, { headers, body: chat({ model: 'none' }) }];
  yield [404, '/nothing', { headers, body: chat() }];
  yield [405, path, { headers, method: 'GET' }];
  yield [413, path, { headers, body: chat({ user: 'x'.repeat(LIMIT_BYTES) }) }];
  yield [415, path, { headers: { ...headers, 'content-type': 'text/plain' }, body: chat() }];
}

test('a listed origin may read every answer, and all of our headers', async () => {
  for (const [status, path, wanted] of answers(listed)) {
    const reply = await fromPage(listed, LISTED, path, wanted);
    assert.equal(reply.status, status);
    assert.equal(reply.headers['access-control-allow-origin'], LISTED);
    assert.deepEqual(
      String(reply.headers['access-control-expose-headers']).split(', ').sort(),
      [...exposed].sort(),
    );
    assert.equal(reply.headers['access-control-allow-credentials'], undefined);
    assertVaries(reply.headers);
  }
});

test('an origin that is not listed may read nothing', async () => {
  for (const [status, path, wanted] of answers(listed)) {
    for (const origin of [STRANGER, `${LISTED}.evil.com`, 'null', 'http://app.example.com']) {
      const reply = await fromPage(listed, origin, path, wanted);
      assert.equal(reply.status, status);
      assert.equal(reply.headers['access-control-allow-origin'], undefined);
      assertVaries(reply.headers);
    }
  }
  const { headers } = await send(listed.url, '/v1/models', preflight(STRANGER));
  assert.equal(headers['access-control-allow-origin'], undefined);
});

test('where all origins are allowed, none gets credentials', async () => {
  for (const [status, path, wanted] of answers(open)) {
    const reply = await fromPage(open, STRANGER, path, wanted);
    assert.deepEqual([reply.status, reply.headers['access-control-allow-origin']], [status, '*']);
    assert.equal(reply.headers['access-control-allow-credentials'], undefined);
  }
});

test('where no origin is configured, there are no such headers and no preflight', async () => {
  for (const [status, path, wanted] of answers(off)) {
    const reply = await fromPage(off, LISTED, path, wanted);
    assert.equal(reply.status, status);
    assert.deepEqual(
      Object.keys(reply.headers).filter((name) => name.startsWith('access-control') || name === 'vary'),
      [],
    );
  }
  const { status, headers } = await send(off.url, '/v1/models', preflight(LISTED));
  assert.deepEqual([status, headers['access-control-allow-origin']], [405, undefined]);
});

function fromPage(gateway: TestGateway, origin: string, path: string, wanted: Wanted): Promise<Reply> {
  return send(gateway.url, path, { ...wanted, headers: { ...wanted.headers, origin } });
}

/** Or a cache would give the answer for one page to another. */
function assertVaries(headers: Reply['headers']): void {
  assert.match(String(headers.vary), /\bOrigin\b/);
}
