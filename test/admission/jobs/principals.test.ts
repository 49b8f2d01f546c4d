import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrincipals } from '../../../src/admission/jobs/principals.ts';
import { configFor, must, newKey, openGround, told, wholeData } from '../ground.ts';

test('the owner of a job is found by the id of his key, with the limits of now', async (t) => {
  const { redis, connection, store } = await openGround(t);
  const principals = createPrincipals({ redis: connection, config: configFor(redis), data: wholeData });
  const { record } = await newKey(store);
  must(await store.updateTenant('acme', { weight: 3, oversize: 'async', policy: null }));
  const verdict = await principals.find('acme', record.id, Date.now());
  assert.ok(verdict.ok);
  const { keyId, tenant, jobs } = verdict.principal;
  assert.deepEqual([keyId, tenant, jobs.weight, jobs.oversize], [record.id, 'acme', 3, 'async']);

  must(await store.update(record.id, { limits: { max_concurrent: 7 } }));
  const remembered = await principals.find('acme', record.id, Date.now());
  assert.equal(remembered.ok && remembered.principal, verdict.principal, 'from memory');
  const anew = await principals.findAnew('acme', record.id, Date.now());
  assert.equal(anew.ok && anew.principal.ofKey.limits.max_concurrent, 7);
  const old = await principals.find('acme', record.id, Date.now() + 11_000);
  assert.ok(old.ok && anew.ok && old.principal !== anew.principal, 'memory has an end');
});

test('a key that is revoked, disabled, expired or unknown has no jobs any more', async (t) => {
  const { redis, connection, store } = await openGround(t);
  const parts = { redis: connection, config: configFor(redis) };
  const principals = createPrincipals({ ...parts, data: wholeData });
  const verdictOf = async (id: string, nowMs = Date.now()) =>
    told(await principals.findAnew('acme', id, nowMs));
  const [revoked, disabled, rolledBack] = [await newKey(store), await newKey(store), await newKey(store)];
  assert.equal(await verdictOf(revoked.record.id), 'ok');
  must(await store.revoke(revoked.record.id));
  assert.equal(await verdictOf(revoked.record.id), `401 revoked ${revoked.record.id}`);
  must(await store.update(disabled.record.id, { status: 'disabled' }));
  assert.equal(await verdictOf(disabled.record.id), `401 disabled ${disabled.record.id}`);
  assert.equal(await verdictOf('key_000000000000'), '401 unknown key_000000000000');

  const later = new Date(Date.now() + 60_000).toISOString();
  must(await store.update(disabled.record.id, { status: 'active', expires_at: later }));
  assert.equal(await verdictOf(disabled.record.id), 'ok');
  const afterEnd = await principals.find('acme', disabled.record.id, Date.now() + 61_000);
  assert.equal(told(afterEnd), `401 expired ${disabled.record.id}`);

  const heard = createPrincipals({ ...parts, data: { isTrusted: () => true, isRevoked: () => true } });
  assert.match(told(await heard.find('acme', rolledBack.record.id, Date.now())), /^401 revoked/);
  must(await store.updateTenant('acme', { status: 'disabled' }));
  assert.match(await verdictOf(rolledBack.record.id), /^401 tenant disabled/);
});

test('a key that only the environment names is found by its id', async (t) => {
  const { redis, connection } = await openGround(t);
  const keys = { environment: [{ tenant: 'ops', key: 'a-key-of-the-environment' }] };
  const config = configFor(redis, keys);
  const replica = createPrincipals({ redis: connection, config, data: wholeData });
  const { environmentKeys } = await import('../../../src/admission/keys/environment-keys.ts');
  const { keyDigest } = await import('../../../src/admission/keys/key-digest.ts');
  const [named] = environmentKeys(keys.environment, keyDigest(config.secret), config.defaults.key).values();
  assert.equal(told(await replica.find('ops', named?.id ?? '', Date.now())), 'ok');
  assert.match(told(await replica.find('acme', named?.id ?? '', Date.now())), /^401 unknown/);
});

test('while Redis cannot be asked or believed nobody is refused for good', async (t) => {
  const { redis, connection } = await openGround(t);
  const parts = { redis: connection, config: configFor(redis) };
  const doubtful = createPrincipals({ ...parts, data: { isTrusted: () => false, isRevoked: () => false } });
  assert.match(told(await doubtful.find('acme', 'key_1', Date.now())), /^503/);
  redis.pause();
  const principals = createPrincipals({ ...parts, data: wholeData });
  const begunMs = performance.now();
  assert.match(told(await principals.find('acme', 'key_1', Date.now())), /^503/);
  assert.ok(performance.now() - begunMs < 750);
  redis.resume();
});
