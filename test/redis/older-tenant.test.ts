import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTenant } from '../../src/redis/key-records.ts';

test('a tenant that an earlier release has written asks for no metadata', () => {
  const older = { name: 'acme', status: 'active', created_at: '2026-01-01T00:00:00.000Z', revision: 1 };
  assert.equal(parseTenant(JSON.stringify(older))?.answer_metadata, false);
  assert.equal(parseTenant(JSON.stringify({ ...older, answer_metadata: true }))?.answer_metadata, true);
});
