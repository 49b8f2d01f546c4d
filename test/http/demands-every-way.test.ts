/** What key and tenant demand holds whichever way a caller comes in: by key, by token, by signature. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { jwtOf } from '../admission/jwt/ground.ts';
import { startIssuer, type TestIssuer } from '../admission/jwt/issuer.ts';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { assertRefused, bearer, chat, type Reply, send } from './client.ts';
import { ed25519Signer, type Signer, signed } from './signing.ts';

const MODELS = '/v1/models';
const CHAT = '/v1/chat/completions';
const HOST = 'cluster.example.com';
/** What is promised; a noisy machine is given three times that. */
const LIMIT_MS = 1_000;

let upstream: TestUpstream;
let issuer: TestIssuer;
let redis: TestRedis;
let one: TestGateway;
let other: TestGateway;

before(async () => {
  [upstream, issuer, redis] = await Promise.all([startUpstream(answerAsAsked), startIssuer(), startRedis()]);
  const config = {
    // Memory alone would serve a caller for five minutes.
    keys: { cache_seconds: 300 },
    auth: {
      jwt: jwtOf(issuer, { issuer: { claims: { scopes: 'scope' } } }),
      signatures: { public_hosts: [HOST] },
    },
    upstreams: [{ name: 'gpu', url: upstream.url }],
    models: [{ name: 'public', upstreams: ['gpu'] }],
  };
  [one, other] = await Promise.all([
    startGateway({ redis, config, makeKey: false }),
    startGateway({ redis, config, makeKey: false }),
  ]);
});

after(async () => {
  await Promise.all([one.stop(), other.stop()]);
  await Promise.all([upstream.stop(), issuer.stop()]);
  await redis.stop();
});

interface Asked {
  readonly target?: string;
  readonly prefer?: string;
  readonly at?: TestGateway;
}

type Way = 'key' | 'token' | 'signature';
type Caller = Readonly<Record<Way, (asked?: Asked) => Promise<Reply>>>;

const ways = ['key', 'token', 'signature'] as const;

/** A tenant, and one caller of it in three ways. */
async function callerOf(
  tenant: string,
  { terms = {}, scopes = ['inference', 'jobs', 'usage'] } = {},
): Promise<Caller> {
  const made = await one.admin('POST', '/tenants', { name: tenant, ...terms });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const key = await one.createKey({ tenant, scopes });
  const signer = await ed25519Signer(one, key.id);
  const token = await issuer.token({ tenant, scope: scopes.join(' ') });
  return {
    key: (asked) => ask(bearer(key.key), asked),
    token: (asked) => ask(bearer(token), asked),
    signature: (asked) => ask(signer, asked),
  };
}

function ask(
  proof: Signer | Record<string, string>,
  { target = MODELS, prefer, at = one }: Asked = {},
): Promise<Reply> {
  const method = target === CHAT ? 'POST' : 'GET';
  const body = target === CHAT ? { body: chat() } : {};
  const headers: Record<string, string> = prefer === undefined ? {} : { prefer };
  const json = { 'content-type': 'application/json' };
  const proven =
    'signatureOf' in proof
      ? signed({ method, authority: HOST, target, headers, ...body }, proof as Signer)
      : { ...json, ...headers, ...(proof as Record<string, string>) };
  return send(at.url, target, { method, headers: proven, ...body });
}

test('addresses of the tenant', async () => {
  const inside = await callerOf('inside', { terms: { allowed_addresses: ['127.0.0.0/8', '::1'] } });
  const outside = await callerOf('outside', {
    terms: { allowed_addresses: ['10.0.0.0/8', '2001:db8::/32'] },
  });
  for (const way of ways) {
    assert.equal((await inside[way]()).status, 200, way);
    for (const target of [MODELS, CHAT, '/v1/usage', '/v1/jobs']) {
      assertRefused(await outside[way]({ target }), 'permission_denied');
    }
  }
});

test('scopes, also for a job that is asked for, and for looking at it', async () => {
  const narrow = await callerOf('narrow', { scopes: ['inference'] });
  for (const way of ways) {
    assert.equal((await narrow[way]({ target: CHAT })).status, 200, way);
    for (const target of ['/v1/usage', '/v1/jobs', '/v1/jobs/job_nobody']) {
      assertRefused(await narrow[way]({ target }), 'permission_denied');
    }
    assertRefused(await narrow[way]({ target: CHAT, prefer: 'respond-async' }), 'permission_denied');
  }
});

for (const [rule, good] of [
  ['require_signature', ['signature']],
  ['require_jwt', ['token']],
  ['require_client_certificate', []],
] as const) {
  test(`${rule} of the tenant`, async () => {
    const strict = await callerOf(rule.replaceAll('_', '-'), { terms: { [rule]: true } });
    for (const way of ways) {
      const reply = await strict[way]();
      if ((good as readonly Way[]).includes(way)) assert.equal(reply.status, 200, way);
      else assertRefused(reply, 'invalid_api_key');
    }
  });
}

test('a job is the tenant’s: asked for in one way it is read in the others, and by no other tenant', async () => {
  const caller = await callerOf('makers');
  const stranger = await callerOf('strangers');
  for (const way of ways) {
    const accepted = await caller[way]({ target: CHAT, prefer: 'respond-async' });
    assert.equal(accepted.status, 202, `${way} ${accepted.body}`);
    const target = `/v1/jobs/${JSON.parse(accepted.body.toString()).id}`;
    for (const reader of ways) {
      assert.equal((await caller[reader]({ target, at: other })).status, 200, `${way}, read by ${reader}`);
      assert.equal((await stranger[reader]({ target, at: other })).status, 404, `${way}, read by ${reader}`);
    }
  }
});

test('a tenant that is disabled is refused by the other replica within a second, and let in again', async () => {
  const caller = await callerOf('switched');
  for (const [status, code] of [
    ['active', 200],
    ['disabled', 401],
    ['active', 200],
  ] as const) {
    await one.admin('PATCH', '/tenants/switched', { status });
    const sinceMs = performance.now();
    for (const way of ways) {
      await until(async () => (await caller[way]({ at: other })).status === code);
    }
    assert.ok(performance.now() - sinceMs < 3 * LIMIT_MS, status);
  }
});
