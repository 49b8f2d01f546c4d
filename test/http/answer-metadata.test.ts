/** Tenants that ask for it get `metadata` at the end of a JSON answer; nothing else of an answer changes. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import packageJson from '../../package.json' with { type: 'json' };
import { officialClient } from '../client/official.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked, completion } from './answers.ts';
import { bearer, chat, send } from './client.ts';

let upstream: TestUpstream;
let gateway: TestGateway;
let asking: { id: string; key: string };
let others: { id: string; key: string };
/** What the server says next instead of its usual answer. */
let next: { status: number; pieces: string[] } | undefined;

before(async () => {
  upstream = await startUpstream(async (request, response, body) => {
    if (!next) return answerAsAsked(request, response, body);
    response.writeHead(next.status, { 'content-type': 'application/json' });
    for (const piece of next.pieces) {
      response.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  });
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
      routes: [{ path: '/predict', upstream: 'gpu' }],
    },
  });
  const made = await gateway.admin('POST', '/tenants', { name: 'asking', answer_metadata: true });
  assert.equal(made.body.answer_metadata, true);
  const quotas = [
    { period: 'day', requests: 50 },
    { period: 'month', requests: 900 },
  ];
  asking = await gateway.createKey({ tenant: 'asking', quotas });
  others = await gateway.createKey({ tenant: 'others', quotas });
});
after(async () => {
  await gateway.stop();
  await upstream.stop();
});

async function call(key: string, fields: Record<string, unknown> = {}, path = '/v1/chat/completions') {
  const reply = await send(gateway.url, path, { headers: bearer(key), body: chat(fields) });
  return { ...reply, text: reply.body.toString() };
}

async function saying(status: number, pieces: string[], path?: string) {
  next = { status, pieces };
  try {
    return await call(asking.key, { input: 'x' }, path);
  } finally {
    next = undefined;
  }
}

test('the answer ends with time, version, key id and what is left of the tightest quota', async () => {
  const { text, headers } = await call(asking.key);
  const usual = completion('public');
  assert.equal(text.slice(0, usual.length - 1), usual.slice(0, -1));
  const { metadata } = JSON.parse(text);
  assert.equal(text, `${usual.slice(0, -1)},"metadata":${JSON.stringify(metadata)}}`);
  assert.equal(headers['content-length'], String(Buffer.byteLength(text)));
  assert.deepEqual(Object.keys(metadata), [
    'processing_time',
    'gateway_version',
    'user_id',
    'remaining_quota',
  ]);
  assert.match(metadata.processing_time, /^\d+\.\d\ds$/);
  assert.equal(metadata.gateway_version, packageJson.version);
  assert.equal(metadata.user_id, asking.id);
  assert.equal(metadata.remaining_quota, 49);
  assert.equal(headers['x-quota-remaining-requests'], '49');
});

test('without a quota of requests there is no number', async () => {
  const { key } = await gateway.createKey({ tenant: 'asking' });
  assert.equal(JSON.parse((await call(key)).text).metadata.remaining_quota, null);
});

test('a long answer in pieces is whole, and its framing right', async () => {
  const pieces = ['{"data":["', 'x'.repeat(300_000), 'ü"],"model":"pub', 'lic","usage":{}', ' }\n'];
  const { text } = await saying(200, pieces, '/v1/embeddings');
  const sent = pieces.join('');
  const { metadata, ...rest } = JSON.parse(text);
  assert.deepEqual(rest, JSON.parse(sent));
  assert.equal(text, `${sent.slice(0, -2)},"metadata":${JSON.stringify(metadata)}}\n`);
});

test('a metadata of the server stays alone', async () => {
  const sent = '{"model":"public","metadata":{"mine":1}}';
  assert.equal((await saying(200, [sent])).text, sent);
});

test('streams, Responses, errors and plain routes go without', async () => {
  assert.doesNotMatch((await call(asking.key, { stream: true })).text, /metadata/);
  const sent = '{"id":"resp_1","model":"public","metadata":null}';
  assert.equal((await saying(200, [sent], '/v1/responses')).text, sent);
  assert.equal((await saying(200, ['{"id":"resp_1"}'], '/v1/responses')).text, '{"id":"resp_1"}');
  assert.equal((await saying(200, ['{"y":1}'], '/predict')).text, '{"y":1}');
  assert.doesNotMatch((await saying(400, ['{"error":{"message":"no"}}'])).text, /metadata/);
});

test('for everybody else the bytes are the server’s', async () => {
  const { text, headers } = await call(others.key);
  assert.equal(text, completion('public'));
  assert.equal(headers['content-length'], String(text.length));
});

test('the switch holds from the next call on', async () => {
  for (const wanted of [true, false]) {
    const changed = await gateway.admin('PATCH', '/tenants/others', { answer_metadata: wanted });
    assert.equal(changed.body.answer_metadata, wanted);
    assert.equal('metadata' in JSON.parse((await call(others.key)).text), wanted);
  }
  assert.equal((await gateway.admin('PATCH', '/tenants/others', { answer_metadata: 'yes' })).status, 400);
});

test('the official client takes such answers as any other', async () => {
  const openai = officialClient(gateway, asking.key);
  const messages = [{ role: 'user' as const, content: 'Hello' }];
  const answer = await openai.chat.completions.create({ model: 'public', messages });
  assert.equal(answer.choices[0]?.message.content, 'Good day.');
  assert.equal(answer.usage?.total_tokens, 8);
  assert.equal((answer as unknown as { metadata: { user_id: string } }).metadata.user_id, asking.id);
});
