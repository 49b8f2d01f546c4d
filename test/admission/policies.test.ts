/** Which policies hold for a caller, by name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Authenticator } from '../../src/admission/authenticate.ts';
import { noPolicies, type Principal } from '../../src/core/principal.ts';
import { must, newKey, openGround, until } from './ground.ts';

const policies = ['careful', 'strict', 'of-keys', 'of-tenants', 'of-ops'].map((name) => ({
  name,
  caps: { max_tokens: 100 },
}));

async function principalOf(replica: Authenticator, key: string): Promise<Principal> {
  const verdict = await replica.authenticate(key, '192.0.2.1', Date.now());
  assert.ok(verdict.ok);
  return verdict.principal;
}

test("a caller carries its key's policy and then its tenant's, each once, as soon as they have changed", async (t) => {
  const { store, replica } = await openGround(t, { policies });
  const other = await replica({ cache_seconds: 300 });
  const { secret, record } = await newKey(store);
  const carried = async () => (await principalOf(other, secret)).policies;
  const become = (names: string) => until(async () => (await carried()).join(' ') === names);
  assert.equal(await carried(), noPolicies);
  assert.ok(Object.isFrozen(noPolicies) && noPolicies.length === 0);

  must(await store.updateTenant('acme', { policy: 'strict' }));
  await become('strict');
  must(await store.update(record.id, { policy: 'careful' }));
  await become('careful strict');
  must(await store.updateTenant('acme', { policy: 'careful' }));
  await become('careful');
  must(await store.updateTenant('acme', { policy: null }));
  must(await store.update(record.id, { policy: null }));
  await become('');
  assert.equal(await carried(), noPolicies);
});

test('a caller carries whether its tenant wants to see the servers that were tried', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica({ cache_seconds: 300 });
  const { secret } = await newKey(store);
  const carried = async () => (await principalOf(other, secret)).showAttempts;
  assert.equal(await carried(), false);
  must(await store.updateTenant('acme', { show_attempts: true }));
  await until(carried);
});

test('keys of the environment have the policies of the defaults, or what the seed of their tenant says', async (t) => {
  const { redis, replica } = await openGround(t, {
    policies,
    defaults: { key: { policy: 'of-keys' }, tenant: { policy: 'of-tenants', limits: { max_concurrent: 9 } } },
    tenants: [
      { name: 'ops', policy: 'of-ops', limits: { max_concurrent: 3 }, priority: 'high', show_attempts: true },
    ],
  });
  const environment = ['ops', 'others'].map((tenant) => ({ tenant, key: `key-of-${tenant}-environment` }));
  const [seeing, cold] = [await replica({ environment }), await replica({ environment })];
  const told = async (other: Authenticator, tenant: string) => {
    const principal = await principalOf(other, `key-of-${tenant}-environment`);
    const { policies: names, priority, showAttempts, ofTenant } = principal;
    return [...names, priority, showAttempts, ofTenant.limits.max_concurrent];
  };
  assert.deepEqual(await told(seeing, 'ops'), ['of-keys', 'of-ops', 1, true, 3]);
  assert.deepEqual(await told(seeing, 'others'), ['of-keys', 'of-tenants', 0, false, 9]);
  redis.pause();
  assert.deepEqual(await told(cold, 'ops'), ['of-keys', 'of-ops', 1, true, 3]);
  redis.resume();
});

test('a record that names its tenant for the first time makes it by its seed', async (t) => {
  const { store } = await openGround(t, {
    policies,
    tenants: [{ name: 'acme', policy: 'careful', limits: { requests_per_minute: 5 }, priority: 'low' }],
  });
  await newKey(store);
  const { tenant } = must(await store.getTenant('acme'));
  assert.deepEqual(
    [tenant.policy, tenant.limits.requests_per_minute, tenant.priority],
    ['careful', 5, 'low'],
  );
  await newKey(store, 'other');
  assert.equal(must(await store.getTenant('other')).tenant.policy, null);
});
