/** What a token says of its subject, and what its tenant and the configuration make of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JWTPayload } from 'jose';
import { createPrincipals } from '../../../src/admission/jobs/principals.ts';
import type { Principal } from '../../../src/core/principal.ts';
import { readTokenSubject } from '../../../src/core/token-subject.ts';
import { must, told, until, wholeData } from '../ground.ts';
import { openTokens, requestWith } from './ground.ts';

const section = {
  plans: {
    small: { limits: { requests_per_minute: 10 }, models: ['a', 'b'], policy: null },
    large: { limits: { requests_per_minute: 99 }, models: { a: { max_concurrent: 1 }, c: {} } },
  },
};
const claims = { plan: 'plan', models: 'models', policy: 'rules', scopes: 'scope' };

async function open(t: Parameters<typeof openTokens>[0], issuer: object = {}) {
  const place = await openTokens(t, { section, issuer: { claims, ...issuer } });
  const principalOf = async (more: JWTPayload): Promise<Principal> => {
    const token = await place.issuer.token({ scope: 'inference jobs usage', ...more });
    const verdict = await place.way.identify(requestWith(token), Date.now());
    assert.ok(verdict?.ok, verdict ? told(verdict) : 'no token');
    return verdict.principal;
  };
  return { ...place, principalOf };
}

test('a subject is the same for all its tokens, and another for another issuer or name', async (t) => {
  const { principalOf } = await open(t);
  const [first, second] = [await principalOf({}), await principalOf({ jti: 'another' })];
  assert.match(first.keyId, /^jwt_[0-9a-f]{24}$/);
  assert.equal(first.keyId, second.keyId);
  assert.notEqual((await principalOf({ sub: 'bob' })).keyId, first.keyId);
  assert.equal((await principalOf({ sub: 'bob' })).keyName, 'bob');
});

test('plan, policy, models and scopes are those of the token, within those of the plan', async (t) => {
  const { ask, issuer, principalOf } = await open(t);
  const small = await principalOf({ plan: 'small', models: ['b', 'c'], rules: 'careful' });
  assert.equal(small.ofKey.limits.requests_per_minute, 10);
  assert.deepEqual(small.ofKey.models, ['b']);
  assert.deepEqual(small.policies, ['careful']);
  assert.equal(small.access, undefined, 'nothing is demanded');
  const large = await principalOf({ plan: 'large', models: ['c', 'd'] });
  assert.deepEqual(Object.keys(large.ofKey.models ?? {}), ['c']);
  assert.deepEqual((await principalOf({ models: ['x'] })).ofKey.models, ['x']);
  assert.equal((await principalOf({})).ofKey.limits.requests_per_minute, null);
  assert.deepEqual((await principalOf({ scope: 'openid usage' })).access?.scopes, ['usage']);
  assert.deepEqual((await principalOf({ scope: ['jobs'] })).access?.scopes, ['jobs']);
  assert.deepEqual((await principalOf({ scope: undefined })).access?.scopes, []);
  const bad: [string, JWTPayload][] = [
    ['unknown plan', { plan: 'huge' }],
    ['unknown plan', { plan: 'constructor' }],
    ['unknown plan', { plan: 1 }],
    ['no list of models', { models: 'a' }],
    ['no list of models', { models: [1] }],
    ['no policy', { rules: {} }],
  ];
  for (const [reason, more] of bad) {
    assert.equal(await ask(await issuer.token(more)), `401 token: ${reason}`);
  }
});

test('an issuer speaks for the tenants that it may speak for', async (t) => {
  const fixed = await open(t, { tenant: 'acme', plan: 'small' });
  const principal = await fixed.principalOf({ tenant: 'umbrella' });
  assert.deepEqual([principal.tenant, principal.ofKey.limits.requests_per_minute], ['acme', 10]);
  const some = await open(t, { tenants: ['umbrella'] });
  assert.equal(await some.ask(await some.issuer.token()), '401 token: not its tenant');
});

test('a tenant that is disabled, and enabled again: told by message, without a look at the clock', async (t) => {
  const { ask, issuer, store } = await open(t);
  const token = await issuer.token();
  assert.equal(await ask(token), 'ok');
  must(await store.updateTenant('acme', { status: 'disabled' }));
  await until(async () => /^401 tenant disabled jwt_/.test(await ask(token)), 3_000);
  must(await store.updateTenant('acme', { status: 'active' }));
  await until(async () => (await ask(token)) === 'ok', 3_000);
});

test('tokens of a tenant that is known, warm: Redis is not asked, and each is verified once', async (t) => {
  const { ask, issuer, outcomes, way } = await open(t);
  const token = await issuer.token();
  await ask(token);
  await ask(token);
  await ask(await issuer.token({ jti: 'fresh' }));
  assert.deepEqual(outcomes, ['redis', 'memory', 'memory']);
  assert.ok(!(way.identify(requestWith(token), Date.now()) instanceof Promise), 'at once');
});

test('a token in memory ends when it ends', async (t) => {
  const { issuer, way } = await openTokens(t, { issuer: { clock_tolerance_seconds: 0 } });
  const token = await issuer.token();
  const at = async (aheadMs: number) => {
    const verdict = await way.identify(requestWith(token), Date.now() + aheadMs);
    return verdict ? told(verdict) : 'no token';
  };
  assert.deepEqual([await at(0), await at(290_000)], ['ok', 'ok']);
  assert.match(await at(301_000), /^401 token: expired jwt_/);
});

test('while Redis is away: who is known goes on, who is not gets 503', async (t) => {
  const { ask, issuer, redis, connection } = await openTokens(t, {}, { keys: { cache_seconds: 0.1 } });
  const token = await issuer.token();
  assert.equal(await ask(token), 'ok');
  await redis.stop();
  await until(() => connection.state() === 'degraded', 10_000);
  assert.equal(await ask(token), 'ok');
  assert.match(await ask(await issuer.token({ sub: 'new' })), /^503/);
});

test('the owner of a job that came in with a token: his rights of today, when the token is long gone', async (t) => {
  const { config, connection, principalOf, store } = await open(t);
  const { subject, keyId } = await principalOf({ plan: 'small', models: ['a'] });
  const stored = readTokenSubject(JSON.parse(JSON.stringify(subject)));
  assert.deepEqual(stored, subject);
  const principals = createPrincipals({ redis: connection, config, data: wholeData });
  const nextMonth = Date.now() + 30 * 86_400_000;
  const found = await principals.find('acme', keyId, nextMonth, stored);
  assert.ok(found.ok);
  const { ofKey, tenant } = found.principal;
  assert.deepEqual([found.principal.keyId, tenant, ofKey.models], [keyId, 'acme', ['a']]);
  assert.deepEqual(found.principal.subject, subject);
  const gone = createPrincipals({
    redis: connection,
    config: { ...config, auth: { ...config.auth, jwt: undefined } },
    data: wholeData,
  });
  assert.match(told(await gone.find('acme', keyId, nextMonth, stored)), /^503/, 'another worker may know it');
  assert.match(told(await principals.find('nobody', keyId, nextMonth, stored)), /^401 token: no such tenant/);
  must(await store.updateTenant('acme', { status: 'disabled' }));
  assert.match(told(await principals.findAnew('acme', keyId, nextMonth, stored)), /^401 tenant disabled/);
});

test('what lies in store and is no subject is taken for none', () => {
  const good = {
    id: `jwt_${'0'.repeat(24)}`,
    issuer: 'i',
    name: 'n',
    plan: null,
    policy: null,
    models: null,
  };
  assert.deepEqual(readTokenSubject({ ...good, scopes: ['jobs', 'more'] })?.scopes, ['jobs']);
  for (const bad of [undefined, null, 'x', {}, good, { ...good, scopes: [], id: 'key_1' }]) {
    assert.equal(readTokenSubject(bad), undefined);
  }
  assert.equal(readTokenSubject({ ...good, scopes: [], models: [1] }), undefined);
});
