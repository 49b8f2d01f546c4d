/** What a key may be used for, from where, and with what proof: on every route, through another replica than the change. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createSimulator } from '../../src/simulator/server.ts';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

/** What is promised is one second; a noisy machine is given three times that. */
const LIMIT_MS = 3_000;
const HERE = '203.0.113.7';

const simulator = createSimulator({ models: ['m'] });
let redis: TestRedis;
let first: TestGateway;
let second: TestGateway;

before(async () => {
  const { url } = await simulator.listen('127.0.0.1', 0);
  redis = await startRedis();
  const config = {
    listen: { trusted_proxies: ['127.0.0.1'] },
    // Memory alone would serve a key for five minutes.
    keys: { cache_seconds: 300 },
    upstreams: [{ name: 'gpu', url }],
    models: [{ name: 'm', upstreams: ['gpu'] }],
    routes: [
      {
        path: '/plain',
        methods: ['GET' as const, 'POST' as const],
        upstream: 'gpu',
        upstream_path: '/v1/models',
      },
    ],
  };
  first = await startGateway({ redis, config });
  second = await startGateway({ redis, config, makeKey: false });
});
after(async () => {
  await Promise.all([first.stop(), second.stop()]);
  await simulator.close();
  await redis.stop();
});

const chat = JSON.stringify({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'Hello' }] });

interface Asked {
  readonly address?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** At the second replica; `POST` where there is a body. */
async function ask(key: string, path: string, { address = HERE, headers = {}, body }: Asked = {}) {
  const answer = await fetch(second.url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'x-forwarded-for': address,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body }),
  });
  return { status: answer.status, text: await answer.text() };
}

const say = (key: string, address = HERE) => ask(key, '/v1/chat/completions', { address, body: chat });

/** The first log line that gives this key as its reason. */
async function refusalOf(id: string) {
  await until(async () => (await second.logText()).includes(` ${id}"`), 'the log line');
  return (await second.logLines(1)).find(({ reason }) => String(reason).endsWith(id));
}

const async = { prefer: 'respond-async' };
/** Routes, and what each is counted as. */
const routes: readonly (readonly [string, string, Asked])[] = [
  ['inference', '/v1/chat/completions', { body: chat }],
  ['inference', '/v1/embeddings', { body: JSON.stringify({ model: 'm', input: 'a' }) }],
  ['inference', '/v1/models', {}],
  ['inference', '/v1/models', { headers: async }],
  ['inference', '/v1/models/m', {}],
  ['inference', '/plain', {}],
  ['jobs', '/v1/jobs', {}],
  ['jobs', '/v1/jobs/job_unknown', {}],
  ['jobs', '/v1/jobs/job_unknown/events', {}],
  ['jobs', '/v1/jobs/job_unknown/result', {}],
  ['jobs', '/v1/jobs/job_unknown/cancel', { body: '{}' }],
  ['usage', '/v1/usage', {}],
];

for (const scope of ['inference', 'jobs', 'usage']) {
  test(`a key for ${scope} alone is good for its routes, and 403 on all others`, async () => {
    const { key, id } = await first.createKey({ scopes: [scope] });
    for (const [wanted, path, asked] of routes) {
      const { status, text } = await ask(key, path, asked);
      if (wanted === scope) assert.ok(status !== 401 && status !== 403, `${path}: ${status} ${text}`);
      else {
        assert.equal(status, 403, path);
        const { error } = JSON.parse(text);
        assert.deepEqual(error, {
          message: 'This API key may not be used for this request.',
          type: 'permission_error',
          param: null,
          code: 'permission_denied',
        });
      }
    }
    const line = await refusalOf(id);
    assert.match(String(line?.reason), new RegExp(`^scope (inference|jobs|usage) missing ${id}$`));
    assert.deepEqual([line?.key, line?.level], [id, 'warn']);
  });
}

test('a job that the caller asks for wants the scope of jobs beside that of the route', async () => {
  const { key: both } = await first.createKey({ scopes: ['inference', 'jobs'] });
  const { key: one } = await first.createKey({ scopes: ['inference'] });
  for (const [path, prefer] of [
    ['/v1/chat/completions', 'respond-async'],
    ['/v1/chat/completions', 'wait=5'],
    ['/plain', 'respond-async'],
  ] as const) {
    const wish = { body: chat, headers: { prefer } };
    assert.equal((await ask(one, path, wish)).status, 403, `${path} ${prefer}`);
    assert.notEqual((await ask(both, path, { ...wish, headers: async })).status, 403, path);
  }
  assert.equal(
    (await ask(one, '/v1/chat/completions', { body: chat, headers: { prefer: 'x' } })).status,
    200,
  );
});

test('a key with addresses is refused from elsewhere on every route, and the log says why', async () => {
  const { key, id } = await first.createKey({ allowed_addresses: ['203.0.113.0/28', '2001:db8::/32'] });
  for (const address of [HERE, '2001:db8:1::1', '::ffff:203.0.113.7']) {
    assert.equal((await say(key, address)).status, 200, address);
  }
  for (const address of ['203.0.113.200', '2001:db9::1', '::ffff:203.0.113.200', '127.0.0.1', 'nonsense']) {
    for (const [, path, asked] of routes) {
      assert.equal((await ask(key, path, { ...asked, address })).status, 403, `${path} from ${address}`);
    }
  }
  assert.equal((await say(key, '203.0.113.200')).status, 403);
  await until(async () => (await second.logText()).includes('"address":"203.0.113.200"'), 'the log line');
  const line = (await second.logLines(1)).findLast((one) => one.address === '203.0.113.200');
  assert.deepEqual([line?.reason, line?.tenant], [`address not allowed ${id}`, 'acme']);
});

test('what a caller says of his address counts for nothing where no trusted proxy says it', async () => {
  const { key } = await first.createKey({ allowed_addresses: [HERE] });
  // The proxy puts the address that it has seen behind what it was given.
  assert.equal((await say(key, `${HERE}, 198.51.100.1`)).status, 403);
  assert.equal((await say(key, `198.51.100.1, ${HERE}`)).status, 200);
});

test('addresses of the tenant hold for all its keys within a second, beside those of the key', async () => {
  const { key } = await first.createKey({ tenant: 'housed', allowed_addresses: ['203.0.113.0/24'] });
  const { key: open } = await first.createKey({ tenant: 'housed' });
  assert.deepEqual([(await say(key)).status, (await say(open)).status], [200, 200]);
  const allow = async (...allowed_addresses: string[]) =>
    assert.equal((await first.admin('PATCH', '/tenants/housed', { allowed_addresses })).status, 200);
  await allow('198.51.100.0/24');
  await until(async () => (await say(open)).status === 403, 'the tenant to be refused', LIMIT_MS);
  assert.equal((await say(open, '198.51.100.4')).status, 200);
  assert.equal((await say(key, '198.51.100.4')).status, 403);
  await allow();
  await until(async () => (await say(open)).status === 200, 'the tenant to be served', LIMIT_MS);
});

test('scopes and addresses that a key is given later hold within a second', async () => {
  const { key, id } = await first.createKey();
  assert.equal((await say(key)).status, 200);
  await first.admin('PATCH', `/keys/${id}`, { scopes: ['usage'] });
  await until(async () => (await say(key)).status === 403, 'the scope to hold', LIMIT_MS);
  await first.admin('PATCH', `/keys/${id}`, { scopes: ['inference'], allowed_addresses: ['192.0.2.1'] });
  await until(async () => (await say(key, '192.0.2.1')).status === 200, 'the scope to be back', LIMIT_MS);
  assert.equal((await say(key)).status, 403);
});

for (const [rule, reason] of [
  ['require_signature', 'signature demanded'],
  ['require_client_certificate', 'client certificate demanded'],
  ['require_jwt', 'token demanded'],
] as const) {
  test(`${rule}: a bare key is refused like a wrong one, and the log says what is missing`, async () => {
    const tenant = `with-${rule}`;
    const { key, id } = await first.createKey({ tenant });
    assert.equal((await say(key)).status, 200);
    assert.equal((await first.admin('PATCH', `/tenants/${tenant}`, { [rule]: true })).status, 200);
    await until(async () => (await say(key)).status === 401, 'the demand to hold', LIMIT_MS);
    for (const [, path, asked] of routes) {
      const { status, text } = await ask(key, path, asked);
      assert.equal(status, 401, path);
      assert.equal(JSON.parse(text).error.message, 'Incorrect API key provided.');
    }
    const line = await refusalOf(id);
    assert.equal(line?.reason, `${reason} ${id}`);
  });
}

test('a key that signs or shows a certificate by its own record is held to it too', async () => {
  for (const rule of ['require_signature', 'require_client_certificate']) {
    const { key } = await first.createKey({ [rule]: true });
    assert.equal((await say(key)).status, 401);
  }
});

// It ends the second replica.
test('the last uses that a replica has noted are there when it has left, without calls that it refused', async () => {
  const { key, id } = await first.createKey();
  const { key: refused, id: refusedId } = await first.createKey({ allowed_addresses: ['192.0.2.1'] });
  const beganMs = Date.now();
  assert.deepEqual([(await ask(key, '/v1/usage')).status, (await say(refused)).status], [200, 403]);
  await second.stop();
  const lastUse = async (of: string) => (await first.admin('GET', `/keys/${of}`)).body.last_used_at;
  const usedAtMs = Date.parse(String(await lastUse(id)));
  assert.ok(usedAtMs >= beganMs && usedAtMs <= Date.now(), `${usedAtMs}`);
  assert.equal(await lastUse(refusedId), null);
});
