/** What COMING-FROM-FASTAPI.md says of each error comes, and so does what it says of headers. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { createSimulator } from '../../src/simulator/server.ts';
import { bearer, type Reply, send } from '../http/client.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { freePort } from '../support/redis.ts';

const BODY_BYTES_MAX = 100_000;
const simulator = createSimulator({ models: ['public', 'private'] });
let gateway: TestGateway;

before(async () => {
  const { url } = await simulator.listen('127.0.0.1', 0);
  simulator.state.addFault({ prompt: 'please fail', status: 500 });
  simulator.state.addFault({ prompt: 'please hang', cut: 'hang' });
  const models = ['public', 'private'].map((name) => ({
    name,
    upstreams: ['gpu'],
    timeouts: { first_byte_ms: 1_000 },
  }));
  gateway = await startGateway({
    config: {
      upstreams: [
        { name: 'gpu', url },
        { name: 'gone', url: `http://127.0.0.1:${await freePort()}` },
      ],
      models: [...models, { name: 'away', upstreams: ['gone'] }],
      routes: [
        { path: '/predict', upstream: 'gpu', body_schema: { type: 'object', required: ['input_data'] } },
      ],
      listen: { body_limit_bytes: BODY_BYTES_MAX },
    },
  });
});

after(async () => {
  await gateway.stop();
  await simulator.close();
});

const messages = [{ role: 'user', content: 'Hello' }];

function chat(key: string, fields: object = {}): Promise<Reply> {
  const body = JSON.stringify({ model: 'public', messages, ...fields });
  return send(gateway.url, '/v1/chat/completions', { headers: bearer(key), body });
}

const says = (content: string) => ({ messages: [{ role: 'user', content }] });

async function withKey(wanted: object, calls: number, change: object = {}): Promise<Reply> {
  const { id, key } = await gateway.createKey({ tenant: 'acme', ...wanted });
  if (Object.keys(change).length > 0) await gateway.admin('PATCH', `/keys/${id}`, change);
  for (let count = 1; count < calls; count += 1) assert.equal((await chat(key)).status, 200);
  return chat(key);
}

const CHAT = '/v1/chat/completions';
const post = (path: string, body: string) => send(gateway.url, path, { headers: bearer(gateway.key), body });

/** By the first column of the table. */
const causes: Readonly<Record<string, () => Promise<Reply>>> = {
  'there is no key': () => send(gateway.url, CHAT, { body: '{}' }),
  'nobody knows the key': () => chat('a-key-of-nobody-0123456789'),
  'the key has expired or is switched off': () => withKey({}, 1, { status: 'disabled' }),
  'the key may not be used from there': () => withKey({ allowed_addresses: ['203.0.113.0/24'] }, 1),
  'the key may not use the model': () => withKey({ models: ['private'] }, 1),
  'there is no such model': () => chat(gateway.key, { model: 'nothing' }),
  'a field is missing': () => chat(gateway.key, { messages: undefined }),
  'a field is wrong': () => chat(gateway.key, { messages: 'Hello' }),
  'the body of a plain route does not fit its schema': () => post('/predict', '{"data": 1}'),
  'the body is no JSON': () => post(CHAT, '{"messages":'),
  'the body is too large': () => chat(gateway.key, says('a'.repeat(BODY_BYTES_MAX))),
  'there is nothing at the path': () => post('/nothing', '{}'),
  'the path has a slash too many': () => post('/predict/', '{"input_data": 1}'),
  'the method is another': () =>
    send(gateway.url, '/predict', { method: 'PUT', headers: bearer(gateway.key) }),
  'calls come too fast': () => withKey({ limits: { requests_per_minute: 1 } }, 2),
  'the quota is spent': () => withKey({ quotas: [{ period: 'total', requests: 1 }] }, 2),
  'the model server fails': () => chat(gateway.key, says('please fail')),
  'the model server is not there': () => chat(gateway.key, { model: 'away' }),
  'the model takes too long': () => chat(gateway.key, says('please hang')),
};

const document = await readFile(
  new URL('../../deploy/examples/COMING-FROM-FASTAPI.md', import.meta.url),
  'utf8',
);
const rows = [...document.matchAll(/^\| ([^|]+) \| [^|]+ \| (\d{3}) `(\w+)`([^|]*) \|$/gm)].map(
  ([, when = '', status, code, rest = '']) => ({ when, status: Number(status), code, rest }),
);

test('the table has a row for each cause that is tried here, and no other', () => {
  assert.deepEqual(
    rows.map(({ when }) => when),
    Object.keys(causes),
  );
});

for (const { when, status, code, rest } of rows) {
  test(`when ${when}: ${status} ${code}, in the one format`, async () => {
    const { status: came, headers, body } = await (causes[when] as () => Promise<Reply>)();
    assert.equal(came, status, body.toString());
    const { error, ...others } = JSON.parse(body.toString());
    assert.deepEqual([error.code, others], [code, {}]);
    assert.deepEqual(Object.keys(error).sort(), ['code', 'message', 'param', 'type']);
    if (rest.includes('`param`')) assert.equal(error.param, 'messages');
    if (rest.includes('`WWW-Authenticate: Bearer`')) assert.equal(headers['www-authenticate'], 'Bearer');
    if (rest.includes('`Allow`')) assert.ok(headers.allow);
    const waits = ['retry-after', 'retry-after-ms'].map((name) => headers[name] !== undefined);
    if (rest.includes('with `Retry-After` and')) assert.deepEqual(waits, [true, true]);
    if (rest.includes('without `Retry-After`')) assert.deepEqual(waits, [false, false]);
    if (rest.includes('`x-should-retry: false`')) assert.equal(headers['x-should-retry'], 'false');
  });
}

test('every header that the second table names comes with an answer, and fields that nobody knows arrive', async () => {
  const { key } = await gateway.createKey({
    tenant: 'acme',
    limits: { requests_per_minute: 9, tokens_per_minute: 9_000 },
    quotas: [{ period: 'total', requests: 9 }],
  });
  const { headers } = await chat(key, { unheard_of: 1 });
  const names = ['limit', 'remaining', 'reset'].flatMap((what) => [
    `x-ratelimit-${what}-requests`,
    `x-ratelimit-${what}-tokens`,
  ]);
  for (const name of [...names, 'ratelimit', 'x-quota-remaining-requests', 'x-process-time', 'x-request-id'])
    assert.ok(headers[name] !== undefined, name);
  assert.equal(JSON.parse(String(simulator.state.last?.body)).unheard_of, 1);
});
