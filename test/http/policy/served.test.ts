/** Policies of keys and tenants on a running gateway: what arrives at the GPU server, and what comes back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway, until } from '../../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../../support/upstream.ts';
import { answerAsAsked } from '../answers.ts';
import { assertRefused, bearer, chat, send } from '../client.ts';

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SYSTEM = 'Answer in one sentence. '.repeat(40);

let upstream: TestUpstream;
let images: TestUpstream;
let gateway: TestGateway;
/** On the same Redis, with a configuration that has no policies. */
let bare: TestGateway;

before(async () => {
  upstream = await startUpstream((request, response, body) => {
    if (!body.includes('a long answer')) return answerAsAsked(request, response, body);
    const text = 'x'.repeat(17_000_000);
    response.setHeader('content-type', 'application/json');
    return void response.end(JSON.stringify({ choices: [{ message: { content: text } }] }));
  });
  images = await startUpstream((_, response) => {
    response.setHeader('content-type', 'image/png').end(Buffer.from(PNG, 'base64'));
  });
  const config = {
    upstreams: [{ name: 'gpu', url: upstream.url }],
    models: [
      { name: 'public', upstreams: ['gpu'], upstream_model: 'inner' },
      { name: 'short', upstreams: ['gpu'], context_length: 64 },
    ],
  };
  gateway = await startGateway({
    config: {
      ...config,
      policies: [
        { name: 'of-key', defaults: { seed: 1 }, caps: { max_tokens: 50 }, suffix_text: ' K' },
        { name: 'of-tenant', forced: { seed: 2 }, removed: ['user'], suffix_text: ' {tenant}' },
        { name: 'other-model', model: 'public' },
        { name: 'fills-model', default_model: 'public' },
        { name: 'signs', suffix_text: 'long '.repeat(1_600) },
        { name: 'speaks', system_text: SYSTEM },
        { name: 'sees', media_hosts: [new URL(images.url).host] },
      ],
    },
  });
  bare = await startGateway({ redis: gateway.redis, config, makeKey: false });
});

after(async () => {
  await bare.stop();
  await gateway.stop();
  await images.stop();
  await upstream.stop();
});

async function keyWith(policy: string | null, ofTenant?: string): Promise<string> {
  const tenant = ofTenant ?? 'plain';
  const { key } = await gateway.createKey({ tenant, name: 'k', policy });
  if (ofTenant) {
    const { status } = await gateway.admin('PATCH', `/tenants/${ofTenant}`, { policy: ofTenant });
    assert.equal(status, 200);
  }
  return key;
}

function post(key: string, body: string, to = gateway, path = '/v1/chat/completions') {
  return send(to.url, path, { headers: { ...bearer(key), 'x-request-id': 'r-{tenant}' }, body });
}

function arrived(): string {
  return upstream.requests.filter(({ method }) => method === 'POST').at(-1)?.body ?? '';
}

test('the key’s and the tenant’s policy together; the rest of the body arrives byte for byte', async () => {
  const key = await keyWith('of-key', 'of-tenant');
  const messages = '"messages":[ {"role":"user","content":"\\u0048i"} ]';
  const sent = `{"user":"me", "model":"public",${messages},"x":1e400,"seed":9,"max_completion_tokens":70}`;
  const { status, body } = await post(key, sent);
  assert.equal(status, 200, body.toString());
  assert.equal(arrived(), `{"model":"inner",${messages},"x":1e400,"seed":2,"max_completion_tokens":50}`);
  const { choices, usage } = JSON.parse(body.toString());
  assert.equal(choices[0].message.content, 'Good day. K of-tenant');
  assert.equal(usage.completion_tokens, 3);
});

test('a forced model arrives whatever is asked for, and answers name what was asked for', async () => {
  const forced = await keyWith('other-model');
  const filled = await keyWith('fills-model');
  const cases = [
    [forced, 'gpt-unheard-of', 'gpt-unheard-of'],
    [forced, undefined, 'public'],
    [filled, undefined, 'public'],
    [filled, 'short', 'short'],
  ] as const;
  for (const [key, model, answered] of cases) {
    const { status, body } = await post(key, chat({ model }));
    assert.equal(status, 200, body.toString());
    assert.equal(JSON.parse(arrived()).model, answered === 'short' ? 'short' : 'inner');
    assert.equal(JSON.parse(body.toString()).model, answered);
  }
  assertRefused(await post(filled, chat({ model: 'unheard-of' })), 'model_not_found');
});

test('a forced model has to be one that the key may use', async () => {
  const { key } = await gateway.createKey({ tenant: 'plain', policy: 'other-model', models: ['short'] });
  assertRefused(await post(key, chat({ model: 'short' })), 'model_not_allowed');
});

test('the system text counts for the context, and is forwarded', async () => {
  const key = await keyWith('speaks');
  assertRefused(await post(key, chat({ model: 'short' })), 'context_length_exceeded');
  assert.equal((await post(await keyWith(null), chat({ model: 'short' }))).status, 200);
  assert.equal((await post(key, chat())).status, 200);
  assert.equal(JSON.parse(arrived()).messages[0].content, SYSTEM);
});

test('a key that names a policy which is not configured is not served at all', async () => {
  const key = await keyWith('of-key');
  const before = upstream.requests.length;
  const reply = await post(key, chat(), bare);
  const { message } = assertRefused(reply, 'policy_missing');
  assert.doesNotMatch(message, /of-key/);
  assert.equal(upstream.requests.length, before);
  const [line] = await bare.logLines(1);
  assert.match(JSON.stringify(line), /no policy is named of-key/);
});

test('images come from the hosts of the policy in place of those of the configuration', async () => {
  const content = [{ type: 'image_url', image_url: { url: `${images.url}/a.png` } }];
  const body = chat({ messages: [{ role: 'user', content }] });
  assertRefused(await post(await keyWith(null), body), 'remote_media_refused');
  assert.equal((await post(await keyWith('sees'), body)).status, 200);
  assert.match(arrived(), /data:image\/png;base64,/);
});

test('an answer that is too large to get its suffix is none', async () => {
  const key = await keyWith('of-key');
  const body = chat({ messages: [{ role: 'user', content: 'a long answer' }] });
  assertRefused(await post(key, body), 'upstream_error');
  assert.equal((await post(await keyWith(null), body)).status, 200);
});

test('streams get the suffix too', async () => {
  const { status } = await gateway.admin('PATCH', '/tenants/plain', { policy: null });
  assert.equal(status, 200);
  const stream = await post(await keyWith('of-tenant'), chat({ stream: true }));
  assert.match(stream.body.toString(), /"content":"Good day\. plain"/);
});

test('nobody pays for a suffix, although more goes out than the server has counted', async () => {
  const spend = async (policy: string | null, stream: boolean) => {
    const key = await keyWith(policy);
    const tokensOf = async () => {
      const reply = await send(gateway.url, '/v1/usage', { method: 'GET', headers: bearer(key) });
      return JSON.parse(reply.body.toString()).last_seven_days.at(-1)?.output_tokens ?? 0;
    };
    // The server counts one of two choices, so the gateway reckons with what has gone out.
    const { body } = await post(key, chat({ stream, n: 2 }));
    assert.equal(body.includes('long long'), policy !== null);
    await until(async () => (await tokensOf()) > 0, 'the settlement');
    return tokensOf();
  };
  for (const stream of [true, false]) {
    assert.equal(await spend('signs', stream), await spend(null, stream));
  }
});
