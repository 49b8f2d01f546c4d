import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin } from './fixture.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin({}, 250);
});
after(() => admin.stop());

test('while Redis does not answer, the admin API says so with 503 within half a second', async () => {
  const { body: key } = await admin.call('POST', '/admin/v1/keys', { json: { tenant: 'acme', name: 'web' } });
  const row = { key: 'away-0000000001', tenant: 'acme', name: 'x' };
  const calls: [string, string, unknown][] = [
    ['POST', '/keys', { tenant: 'acme', name: 'web' }],
    ['GET', '/keys', undefined],
    ['GET', `/keys/${key.id}`, undefined],
    ['PATCH', `/keys/${key.id}`, { name: 'x' }],
    ['POST', `/keys/${key.id}/rotate`, {}],
    ['DELETE', `/keys/${key.id}`, {}],
    ['GET', '/tenants', undefined],
    ['PATCH', '/tenants/acme', { status: 'disabled' }],
    ['POST', '/keys/import', { form: { prefix: 'away-' }, rows: [row] }],
  ];
  admin.redis.pause();
  try {
    for (const [method, path, json] of calls) {
      const startedAtMs = performance.now();
      const { status, body } = await admin.call(method, `/admin/v1${path}`, { json });
      const tookMs = performance.now() - startedAtMs;
      assert.deepEqual([status, body.error.code], [503, 'store_unavailable'], `${method} ${path}`);
      assert.ok(tookMs < 1_500, `${method} ${path} took ${tookMs} ms`);
    }
    assert.equal((await admin.call('GET', '/live')).status, 200);
  } finally {
    admin.redis.resume();
  }
});
