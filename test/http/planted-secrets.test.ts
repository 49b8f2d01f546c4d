/** Secrets that callers plant wherever they can never turn up in the log, in the metrics or in Redis. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { bearer, chat, send, speak, type Wanted } from './client.ts';

const SECRET = 'hunter2-8f3a91c7';
const UPSTREAM_KEY = 'upstream-key-5d2e77b0';
const IMPORTED = 'imported-key-3c9d10ae';
const FROM_ENVIRONMENT = 'environment-key-7b41';

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream((request, response, body) => {
    if (!body.includes('fail with')) return answerAsAsked(request, response, body);
    const status = Number(/fail with (\d+)/.exec(body)?.[1]);
    response.writeHead(status, { 'x-secret': SECRET, 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: `no: ${SECRET} ${UPSTREAM_KEY}` } }));
  });
  gateway = await startGateway({
    config: {
      listen: { header_timeout_ms: 300, body_timeout_ms: 300 },
      log: { level: 'trace' },
      upstreams: [
        { name: 'gpu', url: upstream.url, api_key_env: 'GPU_KEY' },
        { name: 'gone', url: 'http://127.0.0.1:9' },
      ],
      models: [
        { name: 'public', upstreams: ['gpu'] },
        { name: 'gone', upstreams: ['gone'] },
      ],
      routes: [{ path: '/predict', upstream: 'gpu', body_schema: { type: 'object', required: ['x'] } }],
    },
    env: { GPU_KEY: UPSTREAM_KEY, SLUICE_KEYS: `env-team=${FROM_ENVIRONMENT}` },
  });
  const rows = [{ key: IMPORTED, tenant: 'acme', name: 'imported' }];
  await gateway.admin('POST', '/keys/import', { form: { prefix: 'imported-key-' }, rows });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

test('no secret is left behind on any path', async () => {
  const revoked = await gateway.createKey();
  await gateway.admin('DELETE', `/keys/${revoked.id}`);
  const keys = [gateway.key, IMPORTED, FROM_ENVIRONMENT, revoked.key, `${gateway.key.slice(0, -1)}_`, SECRET];
  for (const key of keys) {
    for (const [path, wanted] of requests(key)) {
      const reply = await send(gateway.url, path, wanted);
      assert.ok(reply.status >= 200);
    }
  }
  for (const bytes of rawRequests()) await speak(gateway.url, bytes, true);
  await send(gateway.adminUrl, `/admin/v1/keys?cursor=${SECRET}`, { method: 'GET', headers: bearer(SECRET) });
  await gateway.admin('POST', '/keys', { tenant: 'acme', name: 'x', [SECRET]: SECRET });

  // The last line is written once this one is there.
  const last = await send(gateway.url, '/health', { method: 'GET' });
  let text = '';
  while (!text.includes(String(last.headers['x-request-id']))) text = await gateway.logText();

  const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
  const stored = await everythingIn(gateway.redis.url);
  const secrets = [...keys, UPSTREAM_KEY, gateway.key.slice(-36, -6), revoked.key.slice(-36, -6)];
  for (const [where, content] of Object.entries({ log: text, metrics, redis: stored })) {
    assert.ok(content.length > 100, where);
    for (const secret of secrets) assert.equal(content.includes(secret), false, `${secret} in ${where}`);
  }
});

function* requests(key: string): Generator<[path: string, wanted: Wanted]> {
  const planted = { 'x-secret': SECRET, cookie: SECRET, 'user-agent': SECRET, 'x-stainless-lang': SECRET };
  const headers = { ...bearer(key), ...planted };
  const path = `/v1/chat/completions?key=${SECRET}`;
  const messages = [{ role: 'user', content: SECRET }];
  yield [path, { headers, body: chat({ messages }) }];
  yield [path, { headers, body: chat({ messages, stream: true }) }];
  yield [
    path,
    { headers: { 'x-api-key': key, ...planted, 'content-type': 'application/json' }, body: chat() },
  ];
  yield [path, { headers, body: chat({ messages, model: 'gone' }) }];
  yield [path, { headers, body: chat({ messages, model: SECRET }) }];
  yield [path, { headers, body: chat({ messages: SECRET }) }];
  yield [path, { headers, body: chat({ messages: [{ role: 'user', content: [image()] }] }) }];
  yield [path, { headers, body: chat({ messages, [SECRET]: 1 }).replace('}', `,"${SECRET}":2}`) }];
  yield [path, { headers, body: `{"${SECRET}"` }];
  yield [path, { headers: { ...headers, 'content-type': `text/${SECRET}` }, body: chat() }];
  yield [path, { headers: { ...headers, 'idempotency-key': SECRET }, body: chat() }];
  for (const status of [400, 401, 404, 422, 429, 500, 503]) {
    yield [
      path,
      { headers, body: chat({ messages: [{ role: 'user', content: `fail with ${status} ${SECRET}` }] }) },
    ];
  }
  yield ['/predict', { headers, body: JSON.stringify({ x: SECRET }) }];
  yield ['/predict', { headers, body: JSON.stringify({ y: SECRET }) }];
  yield ['/predict', { headers, body: JSON.stringify({ x: `fail with 500 ${SECRET}` }) }];
  yield [`/${SECRET}`, { headers, body: SECRET }];
  yield [`/v1/models/${SECRET}`, { headers, method: 'GET' }];
  yield [`/v1/models/${SECRET}%zz`, { headers, method: 'GET' }];
  yield ['/v1/models', { headers, method: 'DELETE' }];
}

function image(): object {
  return { type: 'image_url', image_url: { url: `https://user:${SECRET}@images.example.com/${SECRET}.png` } };
}

function* rawRequests(): Generator<string> {
  yield `${SECRET}\r\n\r\n`;
  yield `GET /${SECRET} HTTP/1.1\r\nHost: a\r\nHost: ${SECRET}\r\n\r\n`;
  yield `GET http://${SECRET}/ HTTP/1.1\r\nHost: ${SECRET}\r\n\r\n`;
  yield `GET / HTTP/1.1\r\nHost: a\r\n${SECRET}\0: ${SECRET}\r\n\r\n`;
  yield `GET / HTTP/1.1\r\nHost: a\r\nX: ${SECRET.repeat(2_000)}\r\n\r\n`;
  yield `GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${SECRET}\r\nConnection: close\r\n\r\n`;
}

/** Names and values of all keys. */
async function everythingIn(url: string): Promise<string> {
  const redis = new Redis(url);
  const readers: Record<string, (name: string) => Promise<unknown>> = {
    string: (name) => redis.get(name),
    set: (name) => redis.smembers(name),
    zset: (name) => redis.zrange(name, '0', '-1'),
    hash: (name) => redis.hgetall(name),
    list: (name) => redis.lrange(name, '0', '-1'),
    stream: (name) => redis.xrange(name, '-', '+'),
  };
  const pieces: string[] = [];
  for (const name of (await redis.keys('*')).map(String)) {
    const read = readers[await redis.type(name)];
    assert.ok(read, name);
    pieces.push(name, JSON.stringify(await read(name)));
  }
  redis.disconnect();
  return pieces.join('\n');
}
