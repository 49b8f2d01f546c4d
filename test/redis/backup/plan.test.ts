/** Every kind of key has its place in a backup, or a reason why it has none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapted, leaseEnd } from '../../../src/redis/backup/adapt.ts';
import { decodeEntry, type Entry, encodeEntry } from '../../../src/redis/backup/entry.ts';
import { kindOf } from '../../../src/redis/backup/plan.ts';
import { type RedisKeys, redisKeys } from '../../../src/redis/keys.ts';

const keys = redisKeys('sluice');
const nameOf = (key: string) => key.slice(keys.everything().length);
const hash = (name: string, rows: Entry['rows'], expiresAtMs?: number): Entry => ({
  ...{ name, type: 'hash', expiresAtMs, isMore: false, rows },
});
const moment = { nowMs: 1_000_000, jobLifeMs: 500 };

/** Channels hold nothing, and the others are only what keys begin with. */
const noKeys = new Set<keyof RedisKeys>([
  ...(['everything', 'root', 'jobRoot', 'invalidations', 'drainChanges', 'pieceNews', 'jobEvents'] as const),
]);

test('everything that somebody would miss is copied, and what is left out is known by name', () => {
  const leftOut = Object.entries(keys).flatMap(([name, make]: [string, (...words: never[]) => string]) => {
    if (noKeys.has(name as keyof RedisKeys)) return [];
    const words = ['acme', 'x', 'y', 'z'] as never[];
    return kindOf(nameOf(make(...words))).pass === undefined ? [name] : [];
  });
  assert.deepEqual(leftOut.sort(), [
    ...['answer', 'answerSizes', 'answers', 'bullPrefix', 'jobLines', 'jobMeta', 'jobTenants', 'jobsDue'],
    ...[
      'jobsOf',
      'jobsSweeping',
      'loads',
      'nonce',
      'outboxDead',
      'outboxHanded',
      'outboxReady',
      'replicas',
      'sweeping',
    ],
  ]);
});

test('a thing is read after what leads to it, and before the lists that it stands in', () => {
  const passOf = (key: string) => kindOf(nameOf(key)).pass ?? -1;
  assert.ok(passOf(keys.secret('d')) < passOf(keys.key('acme', 'k')));
  assert.ok(passOf(keys.key('acme', 'k')) < passOf(keys.keysOf('acme')));
  assert.ok(passOf(keys.usage('acme', '2026-11', 'k', 'm')) < passOf(keys.tickets('acme')));
  assert.ok(passOf(keys.job('j')) < passOf(keys.payload('j')));
  assert.ok(passOf(keys.job('j')) < passOf(keys.event('e')));
  assert.ok(passOf(keys.unrunJobs()) < passOf(keys.job('j')));
});

test('what this release does not know is copied as it is, on the server that its tag names', () => {
  assert.deepEqual(kindOf('{acme}:something:new'), {
    ...{ place: 'limits', name: 'something', pass: 1, isBody: false, isIdle: false },
  });
  assert.equal(kindOf('{_jobs}:something').place, 'queue');
  assert.equal(kindOf('constructor:x').pass, 1);
});

test('no account holds a slot and no ticket has one; the rest of both stays', () => {
  const account = hash(nameOf(keys.account('acme', 'tenant')), [
    ['n', '3'],
    ['5', '0 1 2 3 4 5'],
  ]);
  assert.deepEqual(adapted(account, moment)?.rows, [['5', '0 1 2 3 4 5']]);
  const tickets = hash(nameOf(keys.tickets('acme')), [
    ['t1', 'o key_1 m 99 7 6 0 1 10 20 0 0 0'],
    ['t2', 'c'],
  ]);
  assert.deepEqual(adapted(tickets, moment)?.rows, [
    ['t1', 'o key_1 m 99 6 6 0 0 10 20 0 0 0'],
    ['t2', 'c'],
  ]);
});

test('the ticket of a job that ran lives on until the job runs again; that of a call runs out', () => {
  assert.equal(leaseEnd('job_x', 10, moment), 1_000_500);
  assert.equal(leaseEnd('job_x', 2_000_000, moment), 2_000_000);
  assert.equal(leaseEnd('call', 10, moment), 10);
});

test('what has run out meanwhile does not come back', () => {
  assert.equal(adapted(hash('secret:d', [['a', 'b']], 1_000_000), moment), undefined);
  assert.ok(adapted(hash('secret:d', [['a', 'b']], 1_000_001), moment));
});

test('any bytes come back as they were', () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  const entry = { ...hash('n', [[Buffer.from('é"\n'), bytes]], 5), isMore: true };
  const back = decodeEntry(JSON.parse(encodeEntry(entry)));
  assert.deepEqual(
    back.rows.flat().map((text) => Buffer.from(text as Buffer)),
    entry.rows.flat(),
  );
  assert.deepEqual([back.expiresAtMs, back.isMore, back.type], [5, true, 'hash']);
  assert.throws(() => decodeEntry({ name: 'x', type: 'module', rows: [] }));
});
