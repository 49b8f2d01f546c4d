import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from './fixture.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

test('every write is logged with who, what and whose, and no secret ever is', async () => {
  const keys = '/admin/v1/keys';
  const { body: made } = await admin.call('POST', keys, { json: { tenant: 'acme', name: 'web' } });
  const { body: rotated } = await admin.call('POST', `${keys}/${made.id}/rotate`, { json: {} });
  await admin.call('PATCH', `${keys}/${made.id}`, { json: { status: 'disabled' } });
  await admin.call('DELETE', `${keys}/${made.id}`);
  await admin.call('PATCH', `${keys}/${made.id}`, { json: { name: 'too late' } });
  await admin.call('PATCH', '/admin/v1/tenants/acme', { json: { status: 'disabled' } });
  const rows = ['brought-along-1', 'brought-along-2', 'x'].map((key) => ({ key, tenant: 'acme', name: 'n' }));
  await admin.call('POST', `${keys}/import`, { json: { form: { prefix: 'brought-' }, rows } });
  await admin.call('POST', keys, { json: { tenant: 'acme', name: 'web', key: 'brought-along-3' } });
  await admin.call('POST', keys, {
    headers: { 'content-type': 'application/json' },
    body: '{"k":"brought-along-4',
  });

  const writes = admin.logLines().filter(({ actor }) => actor === 'root');
  assert.deepEqual(
    writes.map(({ action, key, tenant, error }) => ({ action, key, tenant, error })),
    [
      { action: 'key.create', key: made.id, tenant: 'acme', error: undefined },
      { action: 'key.rotate', key: made.id, tenant: 'acme', error: undefined },
      { action: 'key.update', key: made.id, tenant: 'acme', error: undefined },
      { action: 'key.revoke', key: made.id, tenant: 'acme', error: undefined },
      { action: 'key.update', key: made.id, tenant: undefined, error: 'conflict' },
      { action: 'tenant.update', key: undefined, tenant: 'acme', error: undefined },
      { action: 'key.import', key: undefined, tenant: undefined, error: undefined },
    ],
  );
  assert.deepEqual([writes[6]?.created, writes[6]?.failed], [2, 1]);

  const log = JSON.stringify(admin.logLines());
  for (const secret of [made.key, rotated.key, 'brought-along', TOKEN]) {
    assert.ok(!log.includes(secret.slice(-20)), secret);
  }
});
