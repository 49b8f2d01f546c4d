/** Each kind of server is asked in its own way for the tokens of a prompt, and one that cannot say is left alone. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type CountedPrompt, TokenCounter } from '../../src/upstream/tokenize.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { until } from '../support/gateway.ts';
import { type Handler, startUpstream } from '../support/upstream.ts';

const text: CountedPrompt = { kind: 'text', text: 'Good day' };
const chat: CountedPrompt = {
  kind: 'chat',
  fields: { messages: [{ role: 'user', content: 'Hello' }], tools: [] },
};

async function start(t: TestContext, handler: Handler) {
  const server = await startUpstream(handler);
  const upstream = new Upstream({
    ...{ name: 'gpu', url: `${server.url}/base/v1`, apiKey: 'their-key', discover: false, gpus: 1 },
  });
  t.after(async () => {
    await upstream.close();
    await server.stop();
  });
  const clock = { nowMs: 0 };
  const counter = new TokenCounter(() => clock.nowMs);
  const count = (prompt: CountedPrompt, signal = new AbortController().signal) =>
    counter.count({ upstream, model: 'theirs', prompt, connectMs: 1_000, signal });
  const bodies = () => server.requests.map(({ body }) => JSON.parse(body) as unknown);
  return { server, clock, count, bodies };
}

const answering =
  (status: number, body: string): Handler =>
  (_request, response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(body);

test('vLLM is asked once, with its model, its key, and what its template reads', async (t) => {
  const { server, count, bodies } = await start(
    t,
    answering(200, '{"count":7,"max_model_len":9,"tokens":[1]}'),
  );
  assert.equal(await count(chat), 7);
  assert.equal(await count(text), 7);
  assert.deepEqual(bodies(), [
    { add_generation_prompt: true, ...chat.fields, model: 'theirs' },
    { model: 'theirs', prompt: 'Good day' },
  ]);
  const [first] = server.requests;
  assert.equal(first?.path, '/base/tokenize');
  assert.equal(first?.headers.authorization, 'Bearer their-key');
});

test('a number in front of a million tokens is enough', async (t) => {
  const tokens = `[${'128000,'.repeat(1_000_000)}1]`;
  const { count } = await start(t, answering(200, `{"count":1000001,"tokens":${tokens}}`));
  assert.equal(await count(text), 1_000_001);
});

test('llama.cpp is asked in its way from the second question on, and not for chats', async (t) => {
  const { count, bodies } = await start(t, (_request, response, body) => {
    const { content = '' } = JSON.parse(body) as { content?: string };
    response.end(JSON.stringify({ tokens: [...content].map((_, at) => at) }));
  });
  assert.equal(await count(chat), undefined, 'no count of nothing passes for that of the chat');
  assert.equal(await count(chat), undefined);
  assert.equal(await count(text), 8);
  assert.deepEqual(bodies().slice(1), [{ content: 'Good day', add_special: true }]);
});

test('llama.cpp met with a text counts it at once', async (t) => {
  const { server, count } = await start(t, (_request, response, body) => {
    const { content = '' } = JSON.parse(body) as { content?: string };
    response.end(JSON.stringify({ tokens: [...content].map((_, at) => at) }));
  });
  assert.equal(await count(text), 8);
  assert.equal(server.requests.length, 2);
});

for (const [status, body] of [
  [404, '{"detail":"Not Found"}'],
  [405, ''],
  [500, 'trace'],
  [503, ''],
  [200, '<html>'],
  [200, '{"count":"many"}'],
] as const) {
  test(`a server that answers ${status} ${body} is left alone for a minute`, async (t) => {
    const { server, clock, count } = await start(t, answering(status, body));
    assert.equal(await count(text), undefined);
    clock.nowMs = 59_999;
    assert.equal(await count(text), undefined);
    assert.equal(server.requests.length, 1);
    clock.nowMs = 60_000;
    assert.equal(await count(text), undefined);
    assert.equal(server.requests.length, 2);
  });
}

test('a refusal of one request says nothing of the server', async (t) => {
  const { server, count } = await start(t, answering(400, '{}'));
  assert.equal(await count(chat), undefined);
  assert.equal(await count(chat), undefined);
  assert.equal(server.requests.length, 2);
});

test('a server that does not answer is waited for a second, and then left alone', async (t) => {
  const { server, count } = await start(t, () => undefined);
  const startedAtMs = performance.now();
  assert.equal(await count(text), undefined);
  const tookMs = performance.now() - startedAtMs;
  assert.ok(tookMs > 900 && tookMs < 2_500, String(tookMs));
  assert.equal(await count(text), undefined);
  assert.equal(server.requests.length, 1);
});

test('a caller who leaves ends the question, which says nothing of the server', async (t) => {
  const { server, count } = await start(t, () => undefined);
  for (const times of [1, 2]) {
    const gone = new AbortController();
    const counted = count(text, gone.signal);
    await until(() => server.requests.length === times, 'the question');
    gone.abort();
    assert.equal(await counted, undefined);
    await until(() => server.running() === 0, 'its end');
  }
});

test('no more than 32 questions are open at a time', async (t) => {
  const { server, count } = await start(t, () => undefined);
  const gone = new AbortController();
  const counted = Array.from({ length: 40 }, () => count(text, gone.signal));
  await until(() => server.requests.length === 32, 'the questions');
  assert.equal(await count(text), undefined);
  gone.abort();
  await Promise.all(counted);
  assert.equal(server.requests.length, 32);
});

test('a server that cannot be reached is not waited for', async (t) => {
  const { server, count } = await start(t, () => undefined);
  await server.stop();
  t.mock.method(server, 'stop', () => undefined);
  assert.equal(await count(text), undefined);
});
