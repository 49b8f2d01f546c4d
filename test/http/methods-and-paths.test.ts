/** Every path answers its methods, says 405 to all others, and what is not there is 404: always in the format. */
import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { assertRefused, bearer, chat, type Reply, readReply, send, speak } from './client.ts';

let upstream: TestUpstream;
/** Once with CORS, which brings routes of its own. */
const gateways: TestGateway[] = [];

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  for (const origins of [[], ['https://app.example.com']]) {
    const gateway = await startGateway({
      config: {
        upstreams: [{ name: 'gpu', url: upstream.url }],
        models: [{ name: 'public', upstreams: ['gpu'] }],
        routes: [
          { path: '/predict', upstream: 'gpu' },
          { path: '/items', upstream: 'gpu', methods: ['GET', 'PUT'] },
        ],
        cors: { origins },
      },
    });
    gateways.push(gateway);
  }
});

after(async () => {
  for (const gateway of gateways) await gateway.stop();
  await upstream.stop();
});

const routes: Record<string, string> = {
  '/v1/chat/completions': 'POST',
  '/v1/completions': 'POST',
  '/v1/responses': 'POST',
  '/v1/embeddings': 'POST',
  '/v1/rerank': 'POST',
  '/v1/score': 'POST',
  '/v1/models': 'GET, HEAD',
  '/v1/models/public': 'GET, HEAD',
  '/v1/jobs': 'GET, HEAD',
  '/v1/jobs/x': 'DELETE, GET',
  '/v1/jobs/x/events': 'GET',
  '/v1/jobs/x/result': 'GET',
  '/v1/jobs/x/cancel': 'POST',
  '/': 'GET, HEAD',
  '/health': 'GET, HEAD',
  '/predict': 'POST',
  '/items': 'GET, PUT',
};

for (const [path, allow] of Object.entries(routes)) {
  test(`${path} allows ${allow} and no other method`, async () => {
    for (const [index, gateway] of gateways.entries()) {
      const isCors = index === 1;
      for (const method of METHODS) {
        // With CORS, OPTIONS is a preflight. CONNECT is no request of a path.
        if (allow.split(', ').includes(method) || method === 'CONNECT' || (isCors && method === 'OPTIONS'))
          continue;
        const reply = await raw(gateway, method, path);
        assert.equal(reply.status, 405, method);
        assert.equal(reply.headers.allow, allow, method);
        if (method !== 'HEAD') assertRefused(reply, 'method_not_allowed');
      }
    }
  });
}

const nowhere = [
  '/v1',
  '/v1/',
  '/v1/chat',
  '/v1/chat/completions/',
  '/v1/chat/completions/x',
  '//v1/models',
  '/v1//models',
  '/V1/models',
  '/v1/chat%2Fcompletions',
  '/v1/models;x',
  '/v1/../v1/models',
  '/v1/%2e%2e/metrics',
  '/v1/audio/speech',
  '/v1/files',
  '/v1/jobs/x/y',
  '/metrics',
  '/live',
  '/ready',
  '/admin',
  '/admin/v1/keys',
  '/tokenize',
  '/predict/',
  '/favicon.ico',
  '/*',
  `/${'x'.repeat(5_000)}`,
];

test('what is not there is 404, with and without a key, whatever the method and the type', async () => {
  const forwarded = upstream.requests.length;
  for (const gateway of gateways) {
    for (const path of nowhere) {
      for (const method of ['GET', 'POST', 'DELETE', 'PROPFIND']) {
        for (const contentType of ['application/json', 'text/plain', 'multipart/form-data; boundary=x', '']) {
          if (contentType === '' && method === 'GET') continue;
          const body = method === 'POST' ? 'not JSON' : '';
          assertRefused(await raw(gateway, method, path, contentType, body), 'not_found');
        }
      }
      const { status, body } = await send(gateway.url, path, { method: 'HEAD' });
      assert.deepEqual([status, body.length], [404, 0]);
    }
  }
  assert.equal(upstream.requests.length, forwarded);
});

test('HEAD answers as GET does, without the body', async () => {
  for (const gateway of gateways) {
    for (const path of ['/', '/health', '/v1/models', '/v1/models/public', '/v1/jobs']) {
      const headers = bearer(gateway.key);
      const get = await send(gateway.url, path, { method: 'GET', headers });
      const head = await send(gateway.url, path, { method: 'HEAD', headers });
      assert.deepEqual([head.status, head.body.length], [200, 0]);
      assert.equal(head.headers['content-type'], get.headers['content-type']);
      if (path !== '/health') assert.equal(head.headers['content-length'], get.headers['content-length']);
    }
  }
});

test('a query changes nothing, and escaped letters are the letters', async () => {
  for (const gateway of gateways) {
    for (const path of [
      '/v1/chat/completions?a=1',
      '/v1/chat/completions?',
      '/v1/ch%61t/completions?x=%zz',
    ]) {
      const reply = await send(gateway.url, path, { headers: bearer(gateway.key), body: chat() });
      assert.equal(reply.status, 200, path);
      assert.equal(upstream.requests.at(-1)?.path, '/v1/chat/completions');
    }
  }
});

async function raw(
  gateway: TestGateway,
  method: string,
  path: string,
  contentType = '',
  body = '',
): Promise<Reply> {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: a', 'Connection: close'];
  if (contentType !== '') lines.push(`Content-Type: ${contentType}`);
  if (body !== '') lines.push(`Content-Length: ${body.length}`);
  return readReply(await speak(gateway.url, `${lines.join('\r\n')}\r\n\r\n${body}`));
}
