import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthenticator } from '../../src/admission/authenticate.ts';
import { noLimits } from '../../src/core/limits.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { ask, configFor, must, newKey, openGround, quiet, until, wholeData } from './ground.ts';

const environment = [{ tenant: 'ops', key: 'a-key-from-the-environment' }];
const key = 'a-key-from-the-environment';

test('a key of the environment works without standing in Redis', async (t) => {
  const { connection, replica } = await openGround(t);
  const other = await replica({ environment });
  const verdict = await other.authenticate(key, '192.0.2.1', Date.now());
  assert.ok(verdict.ok);
  assert.equal(verdict.principal.tenant, 'ops');
  assert.match(verdict.principal.keyId, /^env_[0-9a-f]{12}$/);
  const size = await connection.ask((client) => client.dbsize());
  assert.deepEqual(size, { ok: true, value: 0 });
});

test('a disabled tenant stops its keys of the environment too', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica({ environment, cache_seconds: 300 });
  assert.equal(await ask(other, key), 'ok');
  await newKey(store, 'ops');
  must(await store.updateTenant('ops', { status: 'disabled' }));
  await until(async () => (await ask(other, key)).startsWith('401 tenant disabled env_'), 1_000);
});

test('a key of the environment is served while Redis is frozen, seen before or not', async (t) => {
  const { redis, replica } = await openGround(t);
  const other = await replica({ environment });
  redis.pause();
  assert.equal(await ask(other, key), 'ok');
  assert.equal(await ask(other, key, Date.now() + 86_400_000), 'ok');
  redis.resume();
});

test('keys of the environment have the limits of the defaults, until their tenant has a record', async (t) => {
  const { redis, store, connect } = await openGround(t);
  const limitsOf = (max_concurrent: number) => ({
    limits: { ...noLimits, max_concurrent },
    quotas: [],
    models: null,
    policy: null,
  });
  const defaults = { key: limitsOf(2), tenant: limitsOf(4) };
  const config = { ...configFor(redis, { environment, cache_seconds: 300 }), defaults };
  const connection = await connect();
  const listening = Promise.withResolvers<void>();
  const noticing: RedisConnection = {
    ...connection,
    subscribe: (channel, subscriber) =>
      connection.subscribe(channel, {
        received: subscriber.received,
        subscribed() {
          subscriber.subscribed();
          listening.resolve();
        },
      }),
  };
  const parts = { redis: noticing, config, log: quiet, data: wholeData };
  const authenticator = createAuthenticator(parts);
  authenticator.start();
  t.after(() => authenticator.stop());
  await listening.promise;
  const limits = async () => {
    const verdict = await authenticator.authenticate(key, '192.0.2.1', Date.now());
    assert.ok(verdict.ok);
    const { ofKey, ofTenant } = verdict.principal;
    return [ofKey.limits.max_concurrent, ofTenant.limits.max_concurrent];
  };
  assert.deepEqual(await limits(), [2, 4]);
  must(await store.createTenant({ name: 'ops', limits: { max_concurrent: 8 } }));
  await until(async () => (await limits())[1] === 8);
});
