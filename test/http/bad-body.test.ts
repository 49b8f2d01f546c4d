/** A body that cannot be served is refused quickly, in the format, and reaches no GPU server. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ErrorName } from '../../src/core/errors.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { assertRefused, bearer, chat, type Reply, send, type Wanted } from './client.ts';

const BODY_LIMIT_BYTES = 2_000_000;
const TOOK_MS_MAX = 100;

let upstream: TestUpstream;
let gateway: TestGateway;
/** By request id. */
const refused = new Map<string, ErrorName>();
let slowest = { title: '', tookMs: 0 };

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      listen: { body_limit_bytes: BODY_LIMIT_BYTES },
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
    },
  });
  await post(chat());
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

const messages = '"messages":[{"role":"user","content":"Hello"}]';
const nested = (depth: number) =>
  `{${messages},"model":"public","x":${'['.repeat(depth)}${']'.repeat(depth)}}`;

const bodies: [title: string, error: ErrorName, param: string | null, body: string | Buffer][] = [
  ['an empty body', 'invalid_json', null, ''],
  ['no JSON at all', 'invalid_json', null, 'hello'],
  ['JSON that breaks off', 'invalid_json', null, chat().slice(0, -1)],
  ['something behind the object', 'invalid_json', null, `${chat()}{}`],
  ['a comma at the end', 'invalid_json', null, `{"model":"public",${messages},}`],
  ['a comment', 'invalid_json', null, `{/**/"model":"public",${messages}}`],
  ['single quotes', 'invalid_json', null, "{'model':'public'}"],
  ['NaN', 'invalid_json', null, `{"model":"public",${messages},"top_p":NaN}`],
  ['a list', 'invalid_json', null, '[]'],
  ['a string', 'invalid_json', null, '"model"'],
  ['null', 'invalid_json', null, 'null'],
  ['a byte order mark', 'invalid_json', null, `\ufeff${chat()}`],
  ['bytes that are not UTF-8', 'invalid_json', null, Buffer.from(chat({ user: '\xff\xfe' }), 'latin1')],
  ['UTF-16', 'invalid_json', null, Buffer.from(chat(), 'utf16le')],
  ['a control character in a string', 'invalid_json', null, chat().replace('Hello', 'Hel\u0000lo')],
  ['a depth of 65', 'json_too_complex', null, nested(64)],
  ['a depth of 400,000', 'json_too_complex', null, nested(400_000)],
  [
    '100,001 values',
    'json_too_complex',
    null,
    `{"model":"public",${messages},"x":[0${',0'.repeat(100_000)}]}`,
  ],
  ['1.9 MB of empty lists', 'json_too_complex', null, `{"x":[[]${',[]'.repeat(630_000)}]}`],
  ['a field that comes twice', 'json_too_complex', null, `{"model":"public",${messages},"model":"public"}`],
  [
    'a field that comes twice, once escaped',
    'json_too_complex',
    null,
    `{"model":"a",${messages},"mod\\u0065l":"b"}`,
  ],
  ['__proto__', 'json_too_complex', null, `{"model":"public",${messages},"__proto__":{"stream":true}}`],
  ['__proto__, escaped', 'json_too_complex', null, `{"model":"public",${messages},"\\u005f_proto__":{}}`],
  [
    'a very long field name',
    'json_too_complex',
    null,
    `{"model":"public",${messages},"${'x'.repeat(300)}":1}`,
  ],
  ['no messages', 'missing_parameter', 'messages', '{"model":"public"}'],
  ['messages that are null', 'missing_parameter', 'messages', '{"model":"public","messages":null}'],
  ['no model', 'missing_parameter', 'model', `{${messages}}`],
  ['a model that is null', 'missing_parameter', 'model', chat({ model: null })],
  ['a model that is a number', 'invalid_parameter', 'model', chat({ model: 7 })],
  ['a model that is a list', 'invalid_parameter', 'model', chat({ model: ['public'] })],
  ['a model name of 2,000 characters', 'invalid_parameter', 'model', chat({ model: 'x'.repeat(2_000) })],
  ['an unknown model', 'model_not_found', 'model', chat({ model: 'gpt-9' })],
  ['a model called constructor', 'model_not_found', 'model', chat({ model: 'constructor' })],
  ['no model name at all', 'model_not_found', 'model', chat({ model: '' })],
  ['messages that are a string', 'invalid_parameter', 'messages', chat({ messages: 'Hello' })],
  ['no message', 'invalid_parameter', 'messages', chat({ messages: [] })],
  ['a message that is a string', 'invalid_parameter', 'messages[0]', chat({ messages: ['Hello'] })],
  [
    'a message without a role',
    'invalid_parameter',
    'messages[0].role',
    chat({ messages: [{ content: 'x' }] }),
  ],
  [
    'content that is a number',
    'invalid_parameter',
    'messages[1].content',
    chat({ messages: [{ role: 'system' }, { role: 'user', content: 5 }] }),
  ],
  ['stream as text', 'invalid_parameter', 'stream', chat({ stream: 'true' })],
  ['stream as a number', 'invalid_parameter', 'stream', chat({ stream: 1 })],
  [
    'stream_options as a list',
    'invalid_parameter',
    'stream_options',
    chat({ stream: true, stream_options: [] }),
  ],
  ['max_tokens as text', 'invalid_parameter', 'max_tokens', chat({ max_tokens: '5' })],
  ['max_tokens over the cap', 'invalid_parameter', 'max_tokens', chat({ max_tokens: 1e9 })],
  ['n with a fraction', 'invalid_parameter', 'n', chat({ n: 1.5 })],
  ['n over the cap', 'invalid_parameter', 'n', chat({ n: 1_000 })],
  ['n below 0', 'invalid_parameter', 'n', chat({ n: -5 })],
  ['too many stop texts', 'invalid_parameter', 'stop', chat({ stop: Array(50).fill('x') })],
  ['temperature as text', 'invalid_parameter', 'temperature', chat({ temperature: 'hot' })],
  ['tools as an object', 'invalid_parameter', 'tools', chat({ tools: {} })],
  ['response_format as text', 'invalid_parameter', 'response_format', chat({ response_format: 'json' })],
];

for (const [title, error, param, body] of bodies) {
  test(`${title}: ${error}`, async () => {
    const reply = await post(body);
    assert.equal(assertRefused(reply, error).param, param);
    await assertHarmless(title, reply, error);
  });
}

const others: [title: string, error: ErrorName, path: string, wanted: Wanted][] = [
  ['a prompt is missing', 'missing_parameter', '/v1/completions', { body: '{"model":"public"}' }],
  ['an input is missing', 'missing_parameter', '/v1/embeddings', { body: '{"model":"public"}' }],
  ['documents are missing', 'missing_parameter', '/v1/rerank', { body: '{"model":"public","query":"x"}' }],
  [
    'an operation that does not stream',
    'unsupported_parameter',
    '/v1/embeddings',
    { body: '{"model":"public","input":"x","stream":true}' },
  ],
  [
    'a background response',
    'unsupported_parameter',
    '/v1/responses',
    { body: '{"model":"public","input":"x","background":true}' },
  ],
  [
    'too large, as announced',
    'request_too_large',
    '/v1/chat/completions',
    { body: 'x'.repeat(BODY_LIMIT_BYTES + 1) },
  ],
  [
    'too large, in chunks',
    'request_too_large',
    '/v1/chat/completions',
    { body: `{"x":"${'x'.repeat(BODY_LIMIT_BYTES)}"}`, chunkBytes: 65_536 },
  ],
];

for (const [title, error, path, { body = '', chunkBytes }] of others) {
  test(`${title}: ${error}`, async () => {
    const headers = bearer(gateway.key);
    const reply = await send(gateway.url, path, { headers, body, ...(chunkBytes && { chunkBytes }) });
    assertRefused(reply, error);
    await assertHarmless(title, reply, error);
  });
}

const mediaTypes: [title: string, headers: Record<string, string>][] = [
  ['no Content-Type', {}],
  ['text/plain', { 'content-type': 'text/plain' }],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['an uploaded file', { 'content-type': 'multipart/form-data; boundary=x' }],
  ['a type that only looks like JSON', { 'content-type': 'application/jsonp' }],
  ['no type at all', { 'content-type': 'json' }],
  ['gzip', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
  ['an unknown encoding', { 'content-type': 'application/json', 'content-encoding': 'zstd, x' }],
];

for (const [title, headers] of mediaTypes) {
  test(`${title}: unsupported_media_type`, async () => {
    const body = headers['content-encoding'] === 'gzip' ? gzipSync(chat()) : chat();
    const { authorization = '' } = bearer(gateway.key);
    const reply = await send(gateway.url, '/v1/chat/completions', {
      headers: { authorization, ...headers },
      body,
    });
    assertRefused(reply, 'unsupported_media_type');
    await assertHarmless(title, reply, 'unsupported_media_type');
  });
}

test('what is odd but right is served', async () => {
  const fine: Wanted[] = [
    { body: chat(), headers: { ...bearer(gateway.key), 'content-type': 'Application/JSON;charset=UTF-8' } },
    { body: `\r\n\t ${chat()} \n` },
    { body: nested(63) },
    { body: chat({ n: null, stop: null, tools: null, stream: null }) },
    { body: chat({ unheard_of: { constructor: 1 }, toString: 'x' }) },
    { body: chat({ user: 'x'.repeat(BODY_LIMIT_BYTES - 200) }) },
    { body: chat(), headers: { ...bearer(gateway.key), 'content-encoding': 'identity' } },
    { body: chat(), chunkBytes: 1 },
  ];
  for (const wanted of fine) {
    const reply = await send(gateway.url, '/v1/chat/completions', {
      headers: bearer(gateway.key),
      ...wanted,
    });
    assert.equal(reply.status, 200, reply.body.toString());
  }
});

test('the log has a line for each, with error and blame', async () => {
  const lines = await gateway.logLines(2 * refused.size + 1);
  for (const [requestId, error] of refused) {
    const [line, ...more] = lines.filter(({ request_id }) => request_id === requestId);
    assert.deepEqual([line?.error, line?.blame, line?.outcome], [error, 'client', 'refused']);
    assert.equal(more.length, 0);
  }
});

test('no refusal took long', (context) => {
  context.diagnostic(`slowest: ${slowest.tookMs.toFixed(1)} ms, ${slowest.title}`);
  assert.ok(slowest.tookMs < 3 * TOOK_MS_MAX, `${slowest.title} took ${slowest.tookMs} ms`);
});

function post(body: string | Buffer): Promise<Reply> {
  return send(gateway.url, '/v1/chat/completions', { headers: bearer(gateway.key), body });
}

/** Nothing forwarded, and the next request is served. */
async function assertHarmless(title: string, reply: Reply, error: ErrorName): Promise<void> {
  if (reply.tookMs > slowest.tookMs) slowest = { title, tookMs: reply.tookMs };
  refused.set(String(reply.headers['x-request-id']), error);
  const forwarded = upstream.requests.length;
  assert.equal((await post(chat())).status, 200);
  assert.equal(upstream.requests.length, forwarded + 1);
  assert.equal(upstream.requests.at(-1)?.body, chat());
}
