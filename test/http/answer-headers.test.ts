/** Headers that every answer carries, and those of streams and of errors. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { bearer, chat, type Reply, send, type Wanted } from './client.ts';

const UPSTREAM_MS = 40;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream((...all) => void setTimeout(() => answerAsAsked(...all), UPSTREAM_MS));
  gateway = await startGateway({
    config: {
      upstreams: [
        { name: 'gpu', url: upstream.url },
        { name: 'gone', url: 'http://127.0.0.1:9' },
      ],
      models: [
        { name: 'public', upstreams: ['gpu'] },
        { name: 'gone', upstreams: ['gone'] },
      ],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

test('a request id of 1 to 128 visible ASCII characters is kept, on every kind of answer', async () => {
  for (const id of ['1', 'req_abc-123', '~!"#', 'x'.repeat(128)]) {
    for (const reply of await everyKind({ 'x-request-id': id })) {
      assert.equal(reply.headers['x-request-id'], id);
    }
  }
  assert.equal(upstream.requests.at(-1)?.headers['x-request-id'], 'x'.repeat(128));
});

test('any other request id is replaced', async () => {
  for (const id of ['', 'x'.repeat(129), 'with space', 'tab\there', 'caf\xe9', ['one', 'two']]) {
    const reply = await call({ headers: { ...bearer(gateway.key), 'x-request-id': id }, body: chat() });
    assert.match(String(reply.headers['x-request-id']), UUID);
  }
  const [one, other] = await everyKind({});
  assert.notEqual(one?.headers['x-request-id'], other?.headers['x-request-id']);
});

test('an answer says how long it took, and whose time that was', async () => {
  for (const fields of [{}, { stream: true }]) {
    const { headers } = await call({ headers: bearer(gateway.key), body: chat(fields) });
    const upstreamMs = Number(headers['openai-processing-ms']);
    assert.ok(upstreamMs >= UPSTREAM_MS - 2 && upstreamMs < 5_000, String(upstreamMs));
    const timing = /^gateway;dur=(\d+\.\d+), upstream;dur=(\d+\.\d+)$/.exec(String(headers['server-timing']));
    assert.ok(timing, String(headers['server-timing']));
    assert.ok(Number(timing[2]) >= UPSTREAM_MS - 2);
    assert.ok(Number(headers['x-process-time']) >= (UPSTREAM_MS - 2) / 1_000);
    assert.match(String(headers['x-process-time']), /^\d+\.\d{3}$/);
  }
});

test('answers are not to be stored', async () => {
  for (const reply of await everyKind({})) {
    const isStream = String(reply.headers['content-type']).startsWith('text/event-stream');
    assert.equal(reply.headers['cache-control'], isStream ? 'no-cache, no-transform' : 'no-store');
  }
});

test('a stream has the headers that keep proxies from holding it back', async () => {
  const { status, headers } = await call({ headers: bearer(gateway.key), body: chat({ stream: true }) });
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'text/event-stream; charset=utf-8');
  assert.equal(headers['cache-control'], 'no-cache, no-transform');
  assert.equal(headers['x-accel-buffering'], 'no');
  assert.equal(headers['content-encoding'], undefined);
  assert.equal(headers['content-length'], undefined);
});

test('an error says whether to try again, and a success does not', async () => {
  const replies = await everyKind({});
  assert.deepEqual(
    replies.map(({ status, headers }) => [status, headers['x-should-retry']]),
    [
      [200, undefined],
      [200, undefined],
      [200, undefined],
      [400, 'false'],
      [401, 'false'],
      [404, 'false'],
      [503, 'true'],
    ],
  );
});

test('the time that it took is told to those with a key', async () => {
  for (const { status, headers } of await everyKind({})) {
    assert.equal(headers['x-process-time'] === undefined, status === 401);
  }
});

function everyKind(more: Record<string, string>): Promise<Reply[]> {
  const headers = { ...bearer(gateway.key), ...more };
  return Promise.all([
    call({ headers, body: chat() }),
    call({ headers, body: chat({ stream: true }) }),
    send(gateway.url, '/v1/models', { method: 'GET', headers }),
    call({ headers, body: '{' }),
    call({ headers: more, body: chat() }),
    call({ headers, body: chat({ model: 'none' }) }),
    call({ headers, body: chat({ model: 'gone' }) }),
  ]);
}

function call(wanted: Wanted): Promise<Reply> {
  return send(gateway.url, '/v1/chat/completions', wanted);
}
