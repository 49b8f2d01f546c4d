/** Two readings of one message are how requests are smuggled: such bytes are refused, and none are forwarded. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { bearer, send, speak } from './client.ts';
import { body, chunked, heads, length, payloads, rawRequest } from './smuggling-payloads.ts';

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
      routes: [{ path: '/predict', upstream: 'gpu' }],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

for (const [title, headers, sent] of payloads) {
  test(`${title}: 400 or closed`, async () => {
    const heard = await speak(gateway.url, raw('POST /v1/chat/completions HTTP/1.1', headers, sent), true);
    assertRefused(heard);
  });
}

for (const [title, requestLine] of heads) {
  test(`${title}: 400 or closed`, async () => {
    assertRefused(await speak(gateway.url, raw(requestLine, [length], body), true));
  });
}

test('lines that end with bare line feeds: 400 or closed', async () => {
  const bytes = raw('POST /v1/chat/completions HTTP/1.1', [length], body).replaceAll('\r\n', '\n');
  assertRefused(await speak(gateway.url, bytes, true));
});

test('chunks with extensions and trailers are read as chunks and nothing of them is passed on', async () => {
  const trailers = chunked
    .replace('\r\n', ';name=value\r\n')
    .replace('\r\n0\r\n\r\n', '\r\n0\r\nX-Trailer: x\r\n\r\n');
  const headers = ['Transfer-Encoding: chunked', 'Connection: close', 'Trailer: X-Trailer'];
  const heard = await speak(gateway.url, raw('POST /v1/chat/completions HTTP/1.1', headers, trailers));
  assert.match(heard, /^HTTP\/1\.1 200 /);
  const request = upstream.requests.pop();
  assert.equal(request?.body, body);
  assert.deepEqual(
    [request?.headers['x-trailer'], request?.headers['content-length']],
    [undefined, `${body.length}`],
  );
});

test('an honest request is served afterwards', async () => {
  const { status } = await send(gateway.url, '/v1/chat/completions', { headers: bearer(gateway.key), body });
  assert.equal(status, 200);
  assert.equal(upstream.requests.length, 1);
});

const raw = (requestLine: string, headers: readonly string[], sent: string) =>
  rawRequest(gateway.key, requestLine, headers, sent);

function assertRefused(heard: string): void {
  if (heard !== '') assert.match(heard, /^HTTP\/1\.1 400 /, heard.slice(0, 300));
  assert.equal(heard.split('HTTP/1.1 ').length <= 2, true, `one answer at most: ${heard}`);
  assert.deepEqual(upstream.requests.splice(0), [], 'nothing was forwarded');
}
