import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainKey } from '../../src/admission/keys/key-fields.ts';
import { isRolledBack, RevocationMemory, type Subject } from '../../src/admission/revocation-memory.ts';
import { noAllowance } from '../../src/core/limits.ts';
import type { KeyRecord, KeyStatus } from '../../src/core/principal.ts';

const HOUR_MS = 3_600_000;
const key: Subject = { kind: 'key', name: 'key_000000000001' };

function record(status: KeyStatus, revision: number): KeyRecord {
  return {
    ...noAllowance,
    policy: null,
    oversize_rule: null,
    ...plainKey,
    id: key.name,
    tenant: 'acme',
    name: 'web',
    status,
    origin: 'generated',
    created_at: '2026-01-01T00:00:00.000Z',
    expires_at: null,
    rotated_at: null,
    revision,
  };
}

test('a revocation is remembered for an hour', () => {
  let nowMs = 0;
  const memory = new RevocationMemory(() => nowMs);
  memory.note(key, record('revoked', 2));
  nowMs = HOUR_MS;
  assert.equal(memory.find(key)?.status, 'revoked');
  nowMs = HOUR_MS + 1;
  assert.equal(memory.find(key), undefined);
  assert.deepEqual(memory.subjects(), []);
});

test('of too many the oldest go', () => {
  const memory = new RevocationMemory(() => 0, 10);
  for (let index = 0; index < 25; index += 1)
    memory.note({ kind: 'key', name: `${index}` }, record('revoked', 2));
  assert.equal(memory.size, 10);
  assert.equal(memory.find({ kind: 'key', name: '14' }), undefined);
  assert.equal(memory.find({ kind: 'key', name: '15' })?.status, 'revoked');
});

test('no record makes a revoked key active', () => {
  const memory = new RevocationMemory(() => 0);
  memory.note(key, record('revoked', 2));
  assert.equal(memory.note(key, record('active', 7)), false);
  assert.equal(memory.find(key)?.status, 'revoked');
});

test('a key that was disabled, and enabled while nobody listened, was not rolled back', () => {
  const memory = new RevocationMemory(() => 0);
  memory.note(key, record('disabled', 4));
  assert.equal(isRolledBack(record('active', 5), memory.find(key)), false);
  assert.equal(isRolledBack(record('active', 3), memory.find(key)), true);
  assert.equal(isRolledBack(record('revoked', 3), memory.find(key)), false);
});
