/** A prompt that cannot fit its model's context is refused before it costs anything; the server is asked if it is close. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { createSimulator } from '../../src/simulator/server.ts';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { type Handler, startUpstream, type TestUpstream } from '../support/upstream.ts';
import { assertRefused, bearer, send } from './client.ts';

const CONTEXT = 1_000;
/** By the estimate 1.1 tokens each, by the server's count one. */
const words = (count: number) => 'word '.repeat(count);
const wordsIn = (value: unknown) => JSON.stringify(value).split('word').length - 1;

let counts: TestUpstream;
let plain: TestUpstream;
let gateway: TestGateway;
let holdsQuestions = false;

const serve: Handler = (request, response, text) => {
  const { messages, prompt, input } = JSON.parse(text) as Record<string, unknown>;
  const count = wordsIn(messages ?? prompt ?? input);
  response.setHeader('content-type', 'application/json');
  if (request.url !== '/tokenize') {
    const usage = { prompt_tokens: count, completion_tokens: 1, total_tokens: count + 1 };
    response.end(JSON.stringify({ object: 'answer', choices: [], data: [], usage }));
  } else if (!holdsQuestions) {
    response.end(JSON.stringify({ count, max_model_len: CONTEXT, tokens: Array(count).fill(1) }));
  }
};

const serveWithoutCounting: Handler = (request, response, text) => {
  if (request.url === '/tokenize') response.writeHead(404).end();
  else serve(request, response, text);
};

before(async () => {
  counts = await startUpstream(serve);
  plain = await startUpstream(serveWithoutCounting);
  gateway = await startGateway({
    config: {
      upstreams: [
        { name: 'counts', url: counts.url },
        { name: 'plain', url: plain.url },
      ],
      models: [
        { name: 'public', upstreams: ['counts'], upstream_model: 'theirs', context_length: CONTEXT },
        { name: 'plain', upstreams: ['plain'], context_length: CONTEXT },
        { name: 'unknown', upstreams: ['counts'] },
      ],
      jobs: { oversize: { tokens: false } },
    },
  });
});
after(async () => {
  await gateway.stop();
  await counts.stop();
  await plain.stop();
});
beforeEach(() => {
  counts.requests.length = 0;
  plain.requests.length = 0;
});

const call = (body: Record<string, unknown>, path = '/v1/chat/completions', key = gateway.key) =>
  send(gateway.url, path, { headers: bearer(key), body: JSON.stringify({ model: 'public', ...body }) });
const chatOf = (content: unknown) => ({ messages: [{ role: 'user', content }], max_tokens: 5 });
const paths = () => [...counts.requests, ...plain.requests].map(({ path }) => path);

test('far below, no server is asked', async () => {
  for (const count of [1, 100, 500]) assert.equal((await call(chatOf(words(count)))).status, 200);
  assert.deepEqual(paths(), Array(3).fill('/v1/chat/completions'));
});

test('near, the server is asked exactly once, and its count is what is reserved', async () => {
  const limits = { tokens_per_minute: 100_000 };
  const { key } = await gateway.createKey({ tenant: 'near', limits });
  const { status, headers } = await call(chatOf(words(950)), undefined, key);
  assert.equal(status, 200);
  assert.deepEqual(paths(), ['/tokenize', '/v1/chat/completions']);
  assert.equal(JSON.parse(counts.requests[0]?.body ?? '').model, 'theirs');
  assert.equal(headers['x-ratelimit-remaining-tokens'], String(100_000 - 950 - 5));
});

test('near, and too long by the count: 400 after one question, and it costs nothing', async () => {
  const { key } = await gateway.createKey({ tenant: 'long', quotas: [{ period: 'day', requests: 10 }] });
  const reply = await call(chatOf(words(CONTEXT)), undefined, key);
  const { message, param } = assertRefused(reply, 'context_length_exceeded');
  assert.equal(param, 'messages');
  assert.match(message, /maximum context length is 1000 tokens.* has 1000 tokens/);
  assert.deepEqual(paths(), ['/tokenize']);
  assert.equal(reply.headers['x-quota-remaining-requests'], undefined, 'it has not reached admission');
  const next = await call(chatOf('hello'), undefined, key);
  assert.equal(next.headers['x-quota-remaining-requests'], '9');
});

test('one token less fits: that much is left for the answer', async () => {
  assert.equal((await call(chatOf(words(CONTEXT - 1)))).status, 200);
  assert.deepEqual(paths(), ['/tokenize', '/v1/chat/completions']);
});

test('far above, it is refused and no server is asked', async () => {
  assertRefused(await call(chatOf(words(10_000))), 'context_length_exceeded');
  assertRefused(await call({ prompt: words(10_000) }, '/v1/completions'), 'context_length_exceeded');
  const { param } = assertRefused(
    await call({ input: words(10_000) }, '/v1/responses'),
    'context_length_exceeded',
  );
  assert.equal(param, 'input');
  assert.deepEqual(paths(), []);
});

test('a prompt in numbers of tokens is counted here', async () => {
  const tokens = (count: number) => Array<number>(count).fill(7);
  assert.equal((await call({ prompt: tokens(CONTEXT - 1) }, '/v1/completions')).status, 200);
  assertRefused(await call({ prompt: tokens(CONTEXT) }, '/v1/completions'), 'context_length_exceeded');
  assert.equal((await call({ input: tokens(CONTEXT) }, '/v1/embeddings')).status, 200);
  assertRefused(await call({ input: tokens(CONTEXT + 1) }, '/v1/embeddings'), 'context_length_exceeded');
  assert.deepEqual(paths(), ['/v1/completions', '/v1/embeddings']);
});

test('of many texts each has to fit alone', async () => {
  const many = Array<string>(100).fill(words(100));
  assert.equal((await call({ input: many }, '/v1/embeddings')).status, 200);
  assert.deepEqual(paths(), ['/v1/embeddings']);
  const tooLong = await call({ input: [...many, words(10_000)] }, '/v1/embeddings');
  assertRefused(tooLong, 'context_length_exceeded');
  assertRefused(await call({ input: [...many, words(1_100)] }, '/v1/embeddings'), 'context_length_exceeded');
  assert.equal(JSON.parse(counts.requests.at(-1)?.body ?? '').prompt, words(1_100));
});

test('what the server is to shorten itself is not refused', async () => {
  for (const how of [{ truncate_prompt_tokens: 500 }, { truncation: 'auto' }]) {
    assert.equal((await call({ input: words(10_000), ...how }, '/v1/responses')).status, 200);
  }
});

test('what the estimate knows least about refuses nobody, and no image goes to be counted', async () => {
  const image = (url: string) => ({ type: 'image_url', image_url: { url } });
  const gif = Buffer.from('GIF89a\xff\xff\xff\xff', 'latin1').toString('base64');
  const large = Array(5).fill(image(`data:image/gif;base64,${gif}`));
  assert.equal((await call(chatOf([{ type: 'text', text: 'What?' }, ...large]))).status, 200);
  const schema = { type: 'json_schema', json_schema: { name: words(10_000) } };
  await call({ ...chatOf('hello'), response_format: schema });
  assert.equal(
    counts.requests.filter(({ body, path }) => path === '/tokenize' && /image/.test(body)).length,
    0,
  );
  const remote = [image('http://10.0.0.1/x.png'), { type: 'text', text: words(950) }];
  assertRefused(await call(chatOf(remote)), 'remote_media_refused');
  assert.equal(counts.requests.filter(({ body }) => body.includes('10.0.0.1')).length, 0);
});

test('where the server cannot count, only what is far above is refused, and it is not asked again', async () => {
  const far = await call({ model: 'plain', ...chatOf(words(10_000)) });
  assertRefused(far, 'context_length_exceeded');
  for (const count of [1_000, 1_200]) {
    assert.equal((await call({ model: 'plain', ...chatOf(words(count)) })).status, 200);
  }
  assert.deepEqual(paths(), ['/tokenize', '/v1/chat/completions', '/v1/chat/completions']);
});

test('where the context is not known, nothing is asked or refused', async () => {
  assert.equal((await call({ model: 'unknown', ...chatOf(words(10_000)) })).status, 200);
  assert.deepEqual(paths(), ['/v1/chat/completions']);
});

test('a caller who leaves while his prompt is counted ends the question at once, and no call follows', async (t) => {
  holdsQuestions = true;
  t.after(() => {
    holdsQuestions = false;
  });
  const body = JSON.stringify({ model: 'public', ...chatOf(words(950)) });
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${gateway.key}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await until(() => counts.requests.length === 1, 'the question');
  socket.destroy();
  // By itself it would end after a second.
  await until(() => counts.running() === 0, 'its end', 700);
  assert.equal((await call(chatOf('hello'))).status, 200);
  assert.deepEqual(paths(), ['/tokenize', '/v1/chat/completions']);
  await until(async () => (await gateway.logText()).includes('"outcome":"client_gone"'), 'the log line');
});

test('a context that was discovered counts as much, and the count is the one that the server goes by', async (t) => {
  const simulator = createSimulator({ models: ['found'], contextLength: 400 });
  const { url } = await simulator.listen('127.0.0.1', 0);
  const discovering = await startGateway({ env: { UPSTREAM_URL: url } });
  t.after(async () => {
    await discovering.stop();
    await simulator.close();
  });
  const post = (letters: number) => {
    const body = JSON.stringify({ model: 'found', ...chatOf('x'.repeat(letters)), max_tokens: 1 });
    return send(discovering.url, '/v1/chat/completions', { headers: bearer(discovering.key), body });
  };
  assert.equal((await post(4 * 399)).status, 200);
  const { message } = assertRefused(await post(4 * 400), 'context_length_exceeded');
  assert.match(message, /has 400 tokens/);
  assert.equal(simulator.state.last?.path, '/tokenize');
});
