/** Callers with a token of an identity provider, through real gateways and a worker: served, held to limits, refused. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createSimulator } from '../../src/simulator/server.ts';
import { jwtOf } from '../admission/jwt/ground.ts';
import { signingKey, startIssuer, type TestIssuer } from '../admission/jwt/issuer.ts';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { assertRefused, bearer, chat, type Reply, send } from './client.ts';
import { startWorker, type TestWorker } from './jobs/worker-process.ts';

/** What is promised; a noisy machine is given three times that. */
const LIMIT_MS = 1_000;

let simulator: ReturnType<typeof createSimulator>;
let issuer: TestIssuer;
let redis: TestRedis;
let one: TestGateway;
let other: TestGateway;
let worker: TestWorker;

before(async () => {
  simulator = createSimulator({ models: ['public', 'private'] });
  const { url } = await simulator.listen('127.0.0.1', 0);
  issuer = await startIssuer();
  redis = await startRedis();
  const plans = { three: { limits: { requests_per_minute: 3 } } };
  const claims = { plan: 'plan', models: 'models', scopes: 'scope' };
  const config = {
    // Memory alone would serve a caller for five minutes.
    keys: { cache_seconds: 300 },
    auth: { jwt: jwtOf(issuer, { section: { plans }, issuer: { claims } }) },
    upstreams: [{ name: 'gpu', url }],
    models: ['public', 'private'].map((name) => ({ name, upstreams: ['gpu'] })),
  };
  [one, other, worker] = await Promise.all([
    startGateway({ redis, config, makeKey: false }),
    startGateway({ redis, config, makeKey: false }),
    startWorker(redis, config),
  ]);
});

after(async () => {
  await Promise.all([one.stop(), other.stop(), worker.stop()]);
  await simulator.close();
  await redis.stop();
  await issuer.stop();
});

async function makeTenant(name: string, terms: object = {}): Promise<void> {
  const { status, body } = await one.admin('POST', '/tenants', { name, ...terms });
  assert.equal(status, 201, JSON.stringify(body));
}

const tokenFor = (tenant: string, more: object = {}) =>
  issuer.token({ tenant, scope: 'inference jobs usage', ...more });

async function ask(
  gateway: TestGateway,
  token: string,
  headers: object = {},
  model = 'public',
): Promise<Reply> {
  const body = chat({ model, max_tokens: 5 });
  return send(gateway.url, '/v1/chat/completions', { headers: { ...bearer(token), ...headers }, body });
}

async function get(gateway: TestGateway, path: string, token: string, headers: object = {}): Promise<Reply> {
  return send(gateway.url, path, { method: 'GET', headers: { ...bearer(token), ...headers } });
}

const read = (reply: Reply) => JSON.parse(reply.body.toString()) as Record<string, unknown>;

test('a token is as good as a key: chat, models, and the usage of its subject over both replicas', async () => {
  await makeTenant('users');
  const token = await tokenFor('users', { models: ['public'] });
  assert.equal((await ask(one, token)).status, 200);
  assert.equal((await ask(other, await tokenFor('users', { models: ['public'] }))).status, 200);
  assertRefused(await ask(one, token, {}, 'private'), 'model_not_allowed');
  const { data } = read(await get(one, '/v1/models', token)) as { data: { id: string }[] };
  assert.deepEqual(
    data.map(({ id }) => id),
    ['public'],
  );
  await until(async () => {
    const usage = JSON.stringify(read(await get(other, '/v1/usage', token)));
    return /"total_calls":2\b/.test(usage);
  }, 'two requests of the subject');
  const stranger = read(await get(one, '/v1/usage', await tokenFor('users', { sub: 'bob' })));
  assert.match(JSON.stringify(stranger), /"total_calls":0\b/);
});

test('scopes of a token: what it does not grant is 403', async () => {
  await makeTenant('scoped');
  const token = await tokenFor('scoped', { scope: 'openid usage' });
  assert.equal((await get(one, '/v1/usage', token)).status, 200);
  assertRefused(await ask(one, token), 'permission_denied');
});

test('a job of a subject runs and is read when the token that made it has been replaced', async () => {
  await makeTenant('workers');
  const accepted = await ask(one, await tokenFor('workers'), { prefer: 'respond-async' });
  assert.equal(accepted.status, 202, accepted.body.toString());
  const next = await tokenFor('workers', { jti: 'next' });
  const job = await get(other, String(accepted.headers.location), next, { prefer: 'wait=20' });
  assert.equal(read(job).status, 'completed', job.body.toString());
});

test('limits: those of the subject by its plan, over all its tokens and both replicas', async () => {
  await makeTenant('planned');
  const tokens = await Promise.all(
    [1, 2, 3, 4].map((jti) => tokenFor('planned', { plan: 'three', jti: `${jti}` })),
  );
  const gateways = [one, other, one, other];
  const statuses: number[] = [];
  for (const [index, token] of tokens.entries()) {
    statuses.push((await ask(gateways[index] as TestGateway, token)).status);
  }
  assert.deepEqual(statuses, [200, 200, 200, 429]);
  assert.equal((await ask(one, await tokenFor('planned', { plan: 'three', sub: 'bob' }))).status, 200);
});

test('limits: those of the tenant, over all its subjects, also when they are changed', async () => {
  await makeTenant('small', { limits: { requests_per_minute: 2 } });
  const of = async (sub: string, gateway: TestGateway) =>
    (await ask(gateway, await tokenFor('small', { sub }))).status;
  assert.deepEqual([await of('a', one), await of('b', other), await of('c', one)], [200, 200, 429]);
  await one.admin('PATCH', '/tenants/small', { limits: { requests_per_minute: null } });
  await until(async () => (await of('d', other)) === 200, 'the new limit', LIMIT_MS * 3);
});

test('a disabled tenant: its tokens are refused by the other replica within a second', async (t) => {
  await makeTenant('leaving');
  const token = await tokenFor('leaving');
  assert.equal((await ask(other, token)).status, 200);
  assert.equal((await one.admin('PATCH', '/tenants/leaving', { status: 'disabled' })).status, 200);
  const disabledAtMs = performance.now();
  await until(async () => (await ask(other, token)).status === 401, 'the token to be refused', LIMIT_MS * 3);
  t.diagnostic(`refused after ${(performance.now() - disabledAtMs).toFixed(1)} ms`);
});

test('a tenant that takes tokens alone refuses its keys', async () => {
  await makeTenant('strict');
  const { key } = await one.createKey({ tenant: 'strict' });
  assert.equal((await ask(other, key)).status, 200);
  await one.admin('PATCH', '/tenants/strict', { require_jwt: true });
  await until(async () => (await ask(other, key)).status === 401, 'the key to be refused', LIMIT_MS * 3);
  assert.equal((await ask(other, await tokenFor('strict'))).status, 200);
});

test('a bad token: one answer whatever is wrong with it, the reason in the log, the token nowhere', async () => {
  await makeTenant('quiet');
  const stranger = await signingKey('ES256');
  const bad: [string, string][] = [
    ['token: expired', await tokenFor('quiet', { exp: 1_000_000_000, iat: 999_999_999 })],
    ['token: wrong audience', await tokenFor('quiet', { aud: 'another' })],
    ['token: unknown issuer', await tokenFor('quiet', { iss: 'https://login.example' })],
    ['token: unknown signing key', await issuer.token({ tenant: 'quiet' }, {}, stranger)],
    ['token: algorithm not allowed', unsigned(await tokenFor('quiet'))],
    ['token: no such tenant', await tokenFor('nobody')],
  ];
  const answers = new Set<string>();
  for (const [, token] of bad) {
    const reply = await ask(one, token);
    answers.add(assertRefused(reply, 'invalid_api_key').message);
    assert.equal(reply.headers['www-authenticate'], 'Bearer');
  }
  assert.deepEqual([...answers], ['Incorrect API key provided.']);
  let log = '';
  await until(async () => {
    log = await one.logText();
    return bad.every(([reason]) => log.includes(`"reason":"${reason}`));
  }, 'all reasons in the log');
  for (const [, token] of bad) {
    for (const part of token.split('.').filter((text) => text !== '')) {
      assert.ok(!log.includes(part.slice(0, 60)), 'no part of a token');
    }
  }
});

function unsigned(token: string): string {
  const header = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
  return `${header}.${token.split('.')[1]}.`;
}
