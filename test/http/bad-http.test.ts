/** Bytes that are HTTP only for those who do not look closely are refused, and leave a line in the log. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { type ErrorName, errorTable } from '../../src/core/errors.ts';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { assertRefused, bearer, chat, readReply, send, speak } from './client.ts';

let upstream: TestUpstream;
let gateway: TestGateway;
let served = 0;
/** By request id. */
const refused = new Map<string, ErrorName>();

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

const body = chat();
const length = `Content-Length: ${body.length}`;

const requests: [title: string, error: ErrorName, lines: string[], body?: string][] = [
  ['two Host headers', 'bad_http', ['POST /v1/chat/completions HTTP/1.1', 'Host: a', 'Host: b', length]],
  ['the same Host twice', 'bad_http', ['POST /v1/chat/completions HTTP/1.1', 'Host: a', 'host: a', length]],
  ['no Host', 'bad_http', ['POST /v1/chat/completions HTTP/1.1', length]],
  ['an HTTP/0.9 line with headers', 'bad_http', ['POST /v1/chat/completions HTTP/0.9', 'Host: a', length]],
  ['HTTP/2.0 as a version', 'bad_http', ['POST /v1/chat/completions HTTP/2.0', 'Host: a', length]],
  ['no version', 'bad_http', ['GET /v1/models']],
  ['an absolute target', 'bad_http', ['POST http://a/v1/chat/completions HTTP/1.1', 'Host: a', length]],
  ['an absolute target elsewhere', 'bad_http', ['GET http://10.0.0.1/ HTTP/1.1', 'Host: a']],
  ['a target without a slash', 'bad_http', ['GET v1/models HTTP/1.1', 'Host: a']],
  ['an asterisk as target', 'bad_http', ['OPTIONS * HTTP/1.1', 'Host: a']],
  [
    'a target that cannot be decoded',
    'bad_http',
    ['GET /v1/models/%zz HTTP/1.1', 'Host: a', 'Connection: close'],
  ],
  ['a target with a space', 'bad_http', ['POST /v1/chat/completions x HTTP/1.1', 'Host: a', length]],
  ['a method that nobody knows', 'bad_http', ['SHOUT /v1/models HTTP/1.1', 'Host: a']],
  [
    'headers over 16 KiB',
    'headers_too_large',
    ['GET /v1/models HTTP/1.1', 'Host: a', `X-A: ${'x'.repeat(17_000)}`],
  ],
  [
    'many headers over 16 KiB',
    'headers_too_large',
    ['GET / HTTP/1.1', 'Host: a', ...Array(3_000).fill('A: b')],
  ],
  ['a target over 16 KiB', 'headers_too_large', [`GET /${'x'.repeat(17_000)} HTTP/1.1`, 'Host: a']],
  ['a folded header', 'bad_http', ['POST /v1/chat/completions HTTP/1.1', 'Host: a', 'X-A: b\r\n c', length]],
  ['a NUL in a header', 'bad_http', ['POST /v1/chat/completions HTTP/1.1', 'Host: a', 'X-A: b\0c', length]],
  ['a header name with a space', 'bad_http', ['GET /v1/models HTTP/1.1', 'Host: a', 'X A: b']],
  ['a header without a colon', 'bad_http', ['GET /v1/models HTTP/1.1', 'Host: a', 'X-A']],
  [
    'a length that is no number',
    'bad_http',
    ['POST /v1/chat/completions HTTP/1.1', 'Host: a', 'Content-Length: 0x10'],
  ],
  ['a length below 0', 'bad_http', ['POST /v1/chat/completions HTTP/1.1', 'Host: a', 'Content-Length: -1']],
  [
    'a chunk size that is no number',
    'bad_http',
    ['POST /v1/chat/completions HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'],
    `zz\r\n${body}\r\n0\r\n\r\n`,
  ],
  [
    'a chunk that is longer than its size',
    'bad_http',
    ['POST /v1/chat/completions HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'],
    `5\r\n${body}\r\n0\r\n\r\n`,
  ],
];

for (const [title, error, lines, sent = body] of requests) {
  test(`${title}: ${error}`, async () => {
    const startedAtMs = performance.now();
    const heard = await speak(gateway.url, raw(lines, sent));
    const tookMs = performance.now() - startedAtMs;
    const reply = readReply(heard);
    assertRefused(reply, error);
    assert.equal(reply.headers['cache-control'], 'no-store');
    assert.ok(tookMs < 300, `took ${tookMs} ms`);
    await assertUnharmed();
    refused.set(String(reply.headers['x-request-id']), error);
  });
}

test('the log has a line for each, with error and blame', async () => {
  const lines = await gateway.logLines(served + refused.size);
  for (const [requestId, error] of refused) {
    const [line, ...more] = lines.filter(({ request_id }) => request_id === requestId);
    assert.deepEqual([line?.error, line?.blame, line?.outcome], [error, 'client', 'refused']);
    assert.deepEqual([line?.status, line?.address], [errorTable[error].status, '127.0.0.1']);
    assert.equal(more.length, 0);
  }
});

test('an expectation that nobody can meet is refused, the usual one is met', async () => {
  const odd = readReply(
    await speak(gateway.url, raw(['POST /v1/chat/completions HTTP/1.1', 'Host: a', 'Expect: gold', length])),
  );
  assertRefused(odd, 'bad_http');
  const heard = await speak(
    gateway.url,
    raw([
      'POST /v1/chat/completions HTTP/1.1',
      'Host: a',
      'Expect: 100-continue',
      'Connection: close',
      length,
    ]),
  );
  assert.match(heard, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  served += 1;
});

test('garbage behind a request that runs cuts the connection, and does not end up in its answer', async () => {
  const slow = await startUpstream((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {"choices":[]}\n\n');
  });
  const config = {
    upstreams: [{ name: 'slow', url: slow.url }],
    models: [{ name: 'public', upstreams: ['slow'] }],
  };
  const other = await startGateway({ redis: gateway.redis, config });
  const streamed = chat({ stream: true });
  const head = ['POST /v1/chat/completions HTTP/1.1', 'Host: a', `Content-Length: ${streamed.length}`];
  const garbage = 'GARBAGE / NONSENSE\r\n\r\n';

  assert.equal(await speak(other.url, raw(head, streamed) + garbage), '');

  const { hostname, port } = new URL(other.url);
  const socket = connect(Number(port), hostname);
  let heard = '';
  socket.on('error', () => undefined).write(raw(head, streamed));
  socket.on('data', (piece) => {
    heard += piece.toString();
    if (heard.includes('choices')) socket.write(garbage);
  });
  await once(socket, 'close');
  assert.equal(heard.match(/HTTP\/1\.1|bad_http/g)?.length, 1, heard);

  await until(() => slow.running() === 0, 'the server to be rid of both');
  await until(async () => (await other.metric('sluice_requests_in_flight')) === 0, 'none in flight');
  await other.stop();
  await slow.stop();
});

test('CONNECT and upgrades lead nowhere', async () => {
  const tunnel = await speak(gateway.url, 'CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: 10.0.0.1:80\r\n\r\n');
  assert.doesNotMatch(tunnel, /^HTTP\/1\.1 2/);
  const upgrade = ['GET /health HTTP/1.1', 'Host: a', 'Connection: Upgrade, close', 'Upgrade: websocket'];
  const heard = await speak(gateway.url, raw(upgrade, ''), true);
  assert.match(heard, /^HTTP\/1\.1 200 /);
  await assertUnharmed();
});

/** With the key, so that nothing but the fault itself keeps it from being served. */
function raw([requestLine = '', ...headers]: readonly string[], sent = body): string {
  const { authorization = '' } = bearer(gateway.key);
  const all = [requestLine, ...headers, `Authorization: ${authorization}`, 'Content-Type: application/json'];
  return `${all.join('\r\n')}\r\n\r\n${requestLine.startsWith('POST') ? sent : ''}`;
}

async function assertUnharmed(): Promise<void> {
  assert.equal(upstream.requests.length, served, 'nothing was forwarded');
  const reply = await send(gateway.url, '/v1/chat/completions', { headers: bearer(gateway.key), body });
  assert.equal(reply.status, 200);
  served += 1;
}
