/** Who sends too slowly is cut off on time, with an error, while others are served. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { assertRefused, bearer, chat, type Reply, readReply, send } from './client.ts';

const HEADER_TIMEOUT_MS = 500;
const BODY_TIMEOUT_MS = 1_000;
/** Node looks once a second, and the machine may be busy. */
const LATE_MS_MAX = 3_000;

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      listen: { header_timeout_ms: HEADER_TIMEOUT_MS, body_timeout_ms: BODY_TIMEOUT_MS },
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

const head = (length: number) =>
  [
    'POST /v1/chat/completions HTTP/1.1',
    'Host: a',
    `Authorization: Bearer ${gateway.key}`,
    'Content-Type: application/json',
    `Content-Length: ${length}`,
    '',
    '',
  ].join('\r\n');

test('headers that come byte by byte: 408', async () => {
  const { reply, tookMs } = await trickle(`${head(1_000_000)}`);
  assertRefused(reply, 'request_timeout');
  assert.ok(tookMs >= HEADER_TIMEOUT_MS && tookMs < HEADER_TIMEOUT_MS + LATE_MS_MAX, `${tookMs} ms`);
});

test('headers that stop: 408', async () => {
  const { reply } = await trickle('', 'GET /v1/models HTTP/1.1\r\nHost: a\r\n');
  assertRefused(reply, 'request_timeout');
});

test('a body that comes byte by byte: 408, and nothing is forwarded', async () => {
  const body = chat({ user: 'x'.repeat(100_000) });
  const { reply, tookMs } = await trickle(body, head(body.length));
  assertRefused(reply, 'request_timeout');
  assert.ok(tookMs >= BODY_TIMEOUT_MS && tookMs < BODY_TIMEOUT_MS + LATE_MS_MAX, `${tookMs} ms`);
  assert.equal(upstream.requests.length, 0);
});

test('a body that stops: 408, and the log says whose request it was', async () => {
  const { reply } = await trickle('', head(500) + chat().slice(0, 20));
  assertRefused(reply, 'request_timeout');
  assert.equal(upstream.requests.length, 0);
  await until(async () => {
    const lines = await gateway.logLines(1);
    const line = lines.find((one) => one.request_id === reply.headers['x-request-id']);
    if (line) assert.deepEqual([line.error, line.blame, line.tenant], ['request_timeout', 'client', 'acme']);
    return line !== undefined;
  }, 'the line in the log');
});

test('a hundred slow callers do not keep others waiting', async () => {
  const slow = Array.from({ length: 100 }, () => trickle('', head(500) + chat().slice(0, 20)));
  const startedAtMs = performance.now();
  const { status } = await send(gateway.url, '/v1/chat/completions', {
    headers: bearer(gateway.key),
    body: chat(),
  });
  const tookMs = performance.now() - startedAtMs;
  assert.equal(status, 200);
  assert.ok(tookMs < BODY_TIMEOUT_MS, `${tookMs} ms`);
  for (const { reply } of await Promise.all(slow)) assert.equal(reply.status, 408);
  await until(async () => (await gateway.metric('sluice_requests_in_flight')) === 0, 'no request in flight');
});

/** Sends `first` at once, then a byte every few milliseconds, until the other side closes. */
async function trickle(bytes: string, first = ''): Promise<{ reply: Reply; tookMs: number }> {
  const { hostname, port } = new URL(gateway.url);
  const startedAtMs = performance.now();
  const socket = connect(Number(port), hostname).setNoDelay(true);
  let heard = '';
  socket.on('data', (piece) => {
    heard += piece.toString('latin1');
  });
  socket.on('error', () => undefined);
  socket.write(first);
  let at = 0;
  const timer = setInterval(() => socket.write(bytes.slice(at, ++at)), 20);
  await once(socket, 'close');
  clearInterval(timer);
  return { reply: readReply(heard), tookMs: performance.now() - startedAtMs };
}
