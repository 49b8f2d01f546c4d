/** Whoever has no key, or the wrong one, is told so before his body is read, and learns nothing else. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { assertRefused, bearer, chat, type Reply, send } from './client.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [
        { name: 'public', upstreams: ['gpu'] },
        { name: 'private', upstreams: ['gpu'], aliases: ['back-door'] },
      ],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

test('a key that is no good gets 401, WWW-Authenticate and one message whatever is wrong with it', async () => {
  const disabled = await gateway.createKey();
  await gateway.admin('PATCH', `/keys/${disabled.id}`, { status: 'disabled' });
  const revoked = await gateway.createKey();
  await gateway.admin('DELETE', `/keys/${revoked.id}`);
  const expired = await gateway.createKey({ expires_at: new Date(Date.now() + 300).toISOString() });
  await servedUntil(expired.key);
  const good = gateway.key;
  const unknown = (await gateway.createKey({ name: 'gone' })).key;
  const bad: Record<string, string> = {
    disabled: disabled.key,
    revoked: revoked.key,
    expired: expired.key,
    mistyped: good.slice(0, -1) + (good.endsWith('a') ? 'b' : 'a'),
    cut: good.slice(0, -1),
    'too long': `${good}${'x'.repeat(300)}`,
    short: 'sk-1',
    'of another service': 'sk-proj-0123456789abcdef0123456789',
    'not ASCII': `${good}\xe9`,
    'two keys': `${good} ${unknown}`,
  };
  for (const [what, key] of Object.entries(bad)) {
    const { message } = await refused(bearer(key), what);
    assert.equal(message, 'Incorrect API key provided.', what);
  }
});

test('no key gets 401 with a hint', async () => {
  const basic = { authorization: 'Basic dXNlcjpwYXNzd29yZA==' };
  const none: Record<string, string>[] = [
    {},
    { authorization: '' },
    { authorization: 'Bearer' },
    { 'x-api-key': '' },
    basic,
  ];
  for (const headers of none) {
    const { message } = await refused({ ...JSON_TYPE, ...headers }, JSON.stringify(headers));
    assert.match(message, /^No API key provided\. Send it in the header Authorization/);
  }
});

test('a key is taken from Authorization, with or without Bearer, and from x-api-key', async () => {
  const { key } = gateway;
  const ways: Record<string, string>[] = [
    { authorization: `Bearer ${key}` },
    { authorization: `bearer ${key}` },
    { authorization: key },
    { 'x-api-key': key },
    { authorization: 'Basic dXNlcjpwYXNzd29yZA==', 'x-api-key': key },
  ];
  for (const headers of ways) {
    const reply = await send(gateway.url, '/v1/chat/completions', {
      headers: { ...JSON_TYPE, ...headers },
      body: chat(),
    });
    assert.equal(reply.status, 200);
  }
});

test('a key in the query counts for nothing', async () => {
  const reply = await send(gateway.url, `/v1/models?api_key=${gateway.key}`, { method: 'GET' });
  assertRefused(reply, 'invalid_api_key');
});

test('whoever is unknown is refused before his body is there', async () => {
  const body = 'x'.repeat(200_000);
  for (const contentType of ['application/json', 'text/plain']) {
    const headers = { authorization: 'Bearer nonsense', 'content-type': contentType };
    assertRefused(await send(gateway.url, '/v1/chat/completions', { headers, body }), 'invalid_api_key');
  }
});

test('a key that may not use the model gets 403, by whatever name it asks', async () => {
  const { key } = await gateway.createKey({ models: ['public'] });
  const forwarded = upstream.requests.length;
  for (const model of ['private', 'back-door']) {
    const body = chat({ model });
    const reply = await send(gateway.url, '/v1/chat/completions', { headers: bearer(key), body });
    const { param, type } = assertRefused(reply, 'model_not_allowed');
    assert.deepEqual([param, type], ['model', 'permission_error']);
  }
  assert.equal(upstream.requests.length, forwarded);
  const reply = await send(gateway.url, '/v1/chat/completions', { headers: bearer(key), body: chat() });
  assert.equal(reply.status, 200);
});

test('the log names the reason and at most the public id of the key', async () => {
  const { id, key } = await gateway.createKey();
  await gateway.admin('DELETE', `/keys/${id}`);
  const reply = await send(gateway.url, '/v1/models', { method: 'GET', headers: bearer(key) });
  const line = await lineOf(reply);
  assert.deepEqual(
    [line.level, line.error, line.blame, line.reason, line.address],
    ['warn', 'invalid_api_key', 'client', `revoked ${id}`, '127.0.0.1'],
  );
  assert.equal((await gateway.logText()).includes(key), false);
});

async function refused(headers: Record<string, string>, what: string): Promise<{ message: string }> {
  const forwarded = upstream.requests.length;
  const reply = await send(gateway.url, '/v1/chat/completions', { headers, body: chat() });
  assert.equal(reply.headers['www-authenticate'], 'Bearer', what);
  assert.equal(upstream.requests.length, forwarded, what);
  return assertRefused(reply, 'invalid_api_key');
}

/** Until the key is refused. */
async function servedUntil(key: string): Promise<void> {
  while ((await send(gateway.url, '/v1/models', { method: 'GET', headers: bearer(key) })).status === 200);
}

async function lineOf(reply: Reply): Promise<Record<string, unknown>> {
  for (let count = 1; ; count += 1) {
    const line = (await gateway.logLines(count)).find(
      (one) => one.request_id === reply.headers['x-request-id'],
    );
    if (line) return line;
  }
}
