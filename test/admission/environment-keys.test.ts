import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, must, newKey, openGround, until } from './ground.ts';

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
  must(await store.setTenantStatus('ops', 'disabled'));
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
