import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseKey, parseTenant } from '../../src/redis/key-records.ts';

const older = { name: 'acme', status: 'active', created_at: '2026-01-01T00:00:00.000Z', revision: 1 };

test('a tenant that an earlier release has written asks for no metadata', () => {
  assert.equal(parseTenant(JSON.stringify(older))?.answer_metadata, false);
  assert.equal(parseTenant(JSON.stringify({ ...older, answer_metadata: true }))?.answer_metadata, true);
});

test('a tenant that an earlier release has written has normal priority', () => {
  assert.equal(parseTenant(JSON.stringify(older))?.priority, 'normal');
  assert.equal(parseTenant(JSON.stringify({ ...older, priority: 'high' }))?.priority, 'high');
});

test('a tenant and a key that an earlier release has written have no policy, and show no attempts', () => {
  assert.equal(parseTenant(JSON.stringify(older))?.policy, null);
  assert.equal(parseTenant(JSON.stringify(older))?.show_attempts, false);
  assert.equal(parseTenant(JSON.stringify({ ...older, policy: 'careful' }))?.policy, 'careful');
  assert.equal(parseTenant(JSON.stringify({ ...older, show_attempts: true }))?.show_attempts, true);
  const key = { id: 'key_1', tenant: 'acme', name: 'web', status: 'active', revision: 1, secrets: [] };
  assert.equal(parseKey(JSON.stringify(key))?.policy, null);
  assert.equal(parseKey(JSON.stringify({ ...key, policy: 'careful' }))?.policy, 'careful');
});

test('a tenant that an earlier release has written has the usual terms for jobs', () => {
  const terms = { oversize: 'hold', over_limit: 'reject', hold_seconds: 60, weight: 1 };
  assert.partialDeepStrictEqual(parseTenant(JSON.stringify(older)), terms);
  const own = { oversize: 'async', over_limit: 'hold', hold_seconds: 5, weight: 2.5 };
  assert.partialDeepStrictEqual(parseTenant(JSON.stringify({ ...older, ...own })), own);
});

test('of a tenant and a key that an earlier release has written nothing is demanded, and the key is good for all', () => {
  const rules = { allowed_addresses: [], require_signature: false, require_client_certificate: false };
  assert.partialDeepStrictEqual(parseTenant(JSON.stringify(older)), {
    ...rules,
    require_jwt: false,
    email: null,
  });
  const key = { id: 'key_1', tenant: 'acme', name: 'web', status: 'active', revision: 1, secrets: [] };
  const plain = { note: '', tags: [], scopes: ['inference', 'jobs', 'usage'], ...rules };
  assert.partialDeepStrictEqual(parseKey(JSON.stringify(key)), plain);
  const own = { ...rules, allowed_addresses: ['10.0.0.0/8'], require_signature: true };
  assert.partialDeepStrictEqual(parseKey(JSON.stringify({ ...key, ...own, scopes: ['jobs'] })), own);
  assert.partialDeepStrictEqual(parseTenant(JSON.stringify({ ...older, ...own })), own);
});
