import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTenant } from '../../src/redis/key-records.ts';

const older = { name: 'acme', status: 'active', created_at: '2026-01-01T00:00:00.000Z', revision: 1 };

test('a tenant that an earlier release has written asks for no metadata', () => {
  assert.equal(parseTenant(JSON.stringify(older))?.answer_metadata, false);
  assert.equal(parseTenant(JSON.stringify({ ...older, answer_metadata: true }))?.answer_metadata, true);
});

test('a tenant that an earlier release has written has normal priority', () => {
  assert.equal(parseTenant(JSON.stringify(older))?.priority, 'normal');
  assert.equal(parseTenant(JSON.stringify({ ...older, priority: 'high' }))?.priority, 'high');
});
