/** What a GPU server learns of a caller, and a caller of a GPU server, is a short list. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { completion } from './answers.ts';
import { chat, type Reply, send } from './client.ts';

const UPSTREAM_KEY = 'the-key-of-the-server';

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream((_request, response, body) => {
    response.setHeaders(
      new Map([
        ['server', 'uvicorn'],
        ['set-cookie', 'session=1'],
        ['x-powered-by', 'a GPU'],
        ['x-request-id', 'of-the-server'],
        ['access-control-allow-origin', '*'],
        ['location', 'http://10.0.0.1/'],
        ['x-ratelimit-limit-requests', '7'],
        ['retry-after', '7'],
        ['cache-control', 'public, max-age=7'],
        ['openai-processing-ms', '777777'],
        ['connection', 'keep-alive, x-hop'],
        ['x-hop', '1'],
      ]),
    );
    const streamed = body.includes('"stream":true');
    response.setHeader('content-type', streamed ? 'text/event-stream' : 'application/json');
    response.end(streamed ? 'data: {"choices":[]}\n\ndata: [DONE]\n\n' : completion('public'));
  });
  gateway = await startGateway({
    config: {
      upstreams: [
        { name: 'gpu', url: upstream.url },
        { name: 'guarded', url: upstream.url, api_key_env: 'GPU_KEY' },
      ],
      models: [
        { name: 'public', upstreams: ['gpu'] },
        { name: 'guarded', upstreams: ['guarded'] },
      ],
      routes: [
        { path: '/predict', upstream: 'gpu' },
        { path: '/guarded', upstream: 'guarded' },
      ],
    },
    env: { GPU_KEY: UPSTREAM_KEY },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

/** With all that a client, its SDK, its proxies and its enemies may add. */
function callersHeaders(): Record<string, string> {
  return {
    authorization: `Bearer ${gateway.key}`,
    'x-api-key': gateway.key,
    'content-type': 'application/json; charset=utf-8',
    accept: 'application/json',
    'accept-encoding': 'gzip, br',
    cookie: 'session=secret',
    'user-agent': 'OpenAI/JS 7',
    'x-stainless-retry-count': '1',
    'x-stainless-lang': 'js',
    'openai-organization': 'acme',
    'x-forwarded-for': '10.1.2.3',
    'x-forwarded-host': 'evil',
    'x-forwarded-proto': 'https',
    forwarded: 'for=10.1.2.3',
    'x-real-ip': '10.1.2.3',
    via: '1.1 proxy',
    connection: 'close, x-hop, content-type',
    'x-hop': '1',
    'keep-alive': 'timeout=5',
    te: 'trailers',
    'proxy-authorization': 'Basic eDp5',
    'proxy-connection': 'close',
    upgrade: 'h2c',
    range: 'bytes=0-1',
    'if-none-match': '"x"',
    'x-request-id': 'of-the-caller',
    'x-internal-admin': 'true',
    'x-http-method-override': 'DELETE',
    referer: 'https://app.example.com/',
    origin: 'https://app.example.com',
  };
}

const ours = ['connection', 'content-length', 'content-type', 'host', 'x-request-id'];

test('a server without a key gets the body, its type, the request id and nothing else', async () => {
  for (const body of [chat(), chat({ stream: true })]) {
    await call('/v1/chat/completions', body);
    const headers = received();
    assert.deepEqual(Object.keys(headers).sort(), ours);
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['x-request-id'], 'of-the-caller');
    assert.equal(headers.host, new URL(upstream.url).host);
  }
});

test('a server with a key of its own gets that one', async () => {
  await call('/v1/chat/completions', chat({ model: 'guarded' }));
  const headers = received();
  assert.deepEqual(Object.keys(headers).sort(), ['authorization', ...ours]);
  assert.equal(headers.authorization, `Bearer ${UPSTREAM_KEY}`);
});

test('a pass-through server also learns what is accepted, and never the key of the caller', async () => {
  await call('/predict', '{}');
  const headers = received();
  assert.deepEqual(Object.keys(headers).sort(), ['accept', ...ours]);
  assert.equal(headers['content-type'], 'application/json; charset=utf-8');
  await call('/guarded', '{}');
  assert.equal(received().authorization, `Bearer ${UPSTREAM_KEY}`);
});

test('of the headers of an answer only type and length live on', async () => {
  const expected = [
    'cache-control',
    'connection',
    'content-length',
    'content-type',
    'date',
    'openai-processing-ms',
    'server-timing',
    'x-process-time',
    'x-request-id',
  ];
  for (const path of ['/v1/chat/completions', '/predict']) {
    const { headers } = await call(path, chat());
    assert.deepEqual(Object.keys(headers).sort(), expected);
    assert.equal(headers['x-request-id'], 'of-the-caller');
    assert.equal(headers['cache-control'], 'no-store');
    assert.ok(Number(headers['openai-processing-ms']) < 60_000);
  }
  const { headers } = await call('/v1/chat/completions', chat({ stream: true }));
  const ofStream = expected.filter((name) => name !== 'content-length');
  assert.deepEqual(
    Object.keys(headers).sort(),
    [...ofStream, 'transfer-encoding', 'x-accel-buffering'].sort(),
  );
});

async function call(path: string, body: string): Promise<Reply> {
  const reply = await send(gateway.url, path, { headers: callersHeaders(), body });
  assert.equal(reply.status, 200, reply.body.toString());
  return reply;
}

/** Headers of the newest request, none of which came twice. */
function received() {
  const { headers = {}, rawHeaders = [] } = upstream.requests.at(-1) ?? {};
  assert.equal(rawHeaders.length, 2 * Object.keys(headers).length);
  return headers;
}
