/** Guesses at admin tokens: bounded for each address, without harm to those who are known behind the same one. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { newAdminId, newAdminKey } from '../../src/admission/admins/admin-key.ts';
import { AdminKeys } from '../../src/admission/admins/admin-keys.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { type AdminFixture, startAdmin, TOKEN } from './fixture.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

function statusFrom(localAddress: string, token: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const asking = request(`${admin.url}/admin/v1/models`, { localAddress, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asking.once('error', reject).end();
  });
}

test('after 20 wrong tokens an address is not answered for a minute, but whoever was known there is', async () => {
  const { body } = await admin.call('POST', '/admin/v1/admins', { json: { name: 'ann', role: 'viewer' } });
  const { body: late } = await admin.call('POST', '/admin/v1/admins', {
    json: { name: 'bob', role: 'viewer' },
  });
  assert.equal(await statusFrom('127.0.0.1', body.key), 200);
  for (let guess = 0; guess < 20; guess += 1) {
    const token = guess % 2 ? `guess-${guess}` : newAdminKey(newAdminId());
    assert.equal(await statusFrom('127.0.0.1', token), 401);
  }
  const {
    status,
    headers,
    body: refused,
  } = await admin.call('GET', '/admin/v1/models', {
    authorization: 'Bearer another-guess-of-the-same',
  });
  assert.deepEqual([status, refused.error.code], [429, 'too_many_failed_keys']);
  assert.ok(Number(headers.get('retry-after')) > 0);
  assert.equal(await statusFrom('127.0.0.1', late.key), 429, 'it was never right here');
  assert.equal(await statusFrom('127.0.0.1', body.key), 200);
  assert.equal(await statusFrom('127.0.0.1', TOKEN), 200);
  assert.equal(await statusFrom('127.0.0.2', late.key), 200);
});

test('one wrong token over and over is one guess', async () => {
  for (let count = 0; count < 30; count += 1) {
    assert.equal(await statusFrom('127.0.0.3', 'the-token-of-a-forgotten-script'), 401);
  }
});

test('what has not the form of an admin key never reaches Redis', async () => {
  const never = async () => assert.fail('Redis was asked');
  const keys = new AdminKeys({
    table: { find: never, noteUse: never },
    digestOf: never as never,
    isTrusted: () => true,
    log: createLogger('fatal', {}, { write: () => {} }),
    now: Date.now,
  });
  const key = newAdminKey(newAdminId());
  const last = key.endsWith('0') ? '1' : '0';
  for (const wrong of [
    '',
    'x',
    key.slice(1),
    key.slice(0, -1) + last,
    `${key}0`,
    key.replace('admin', 'key'),
  ]) {
    assert.equal((await keys.check(wrong)).ok, false, wrong);
  }
});

test('while the data in Redis are in doubt, an admin key that is not there is not called wrong', async () => {
  const keys = new AdminKeys({
    table: { find: async () => ({ ok: true, value: undefined }), noteUse: async () => assert.fail() },
    digestOf: () => '',
    isTrusted: () => false,
    log: createLogger('fatal', {}, { write: () => {} }),
    now: Date.now,
  });
  const verdict = await keys.check(newAdminKey(newAdminId()));
  assert.ok(!verdict.ok && verdict.kind === 'unavailable');
});
