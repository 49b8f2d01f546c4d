/** When the audit trail cannot be written: nothing is lost silently. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../admission/ground.ts';
import { type AdminFixture, startAdmin } from './fixture.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin({}, 250);
});
after(() => admin.stop());

async function actions(): Promise<[string, string][]> {
  const { body } = await admin.call('GET', '/admin/v1/audit');
  return body.data.map(({ action, outcome }: Record<string, string>) => [action, outcome]).reverse();
}

test('a change whose entry cannot be written is made, says so, and is entered in order when it can be', async () => {
  const { connection } = admin;
  const audit = connection.keys.audit();
  await connection.ask((client) => client.set(audit, 'in the way'));
  for (const name of ['one', 'two']) {
    const { status, headers } = await admin.call('POST', '/admin/v1/tenants', { json: { name } });
    assert.deepEqual([status, headers.get('x-sluice-audit')], [201, 'late']);
  }
  assert.equal(admin.admins.trail.waiting, 2);
  assert.equal(admin.logLines().filter(({ msg }) => msg === 'admin write').length, 2);
  await connection.ask((client) => client.del(audit));
  await admin.call('POST', '/admin/v1/tenants', { json: { name: 'three' } });
  await until(() => admin.admins.trail.waiting === 0, 9_000);
  const { body } = await admin.call('GET', '/admin/v1/audit');
  assert.deepEqual(
    body.data.map(({ subject }: { subject: { tenant: string } }) => subject.tenant),
    ['three', 'two', 'one'],
  );
  const { headers } = await admin.call('POST', '/admin/v1/tenants', { json: { name: 'four' } });
  assert.equal(headers.get('x-sluice-audit'), null);
});

test('a write that Redis has perhaps made is entered as unknown when Redis is back', async () => {
  const { body } = await admin.call('POST', '/admin/v1/admins', { json: { name: 'ann', role: 'owner' } });
  admin.redis.pause();
  try {
    const { status } = await admin.call('PATCH', '/admin/v1/tenants/one', { json: { priority: 'high' } });
    assert.equal(status, 503);
    const refused = await admin.call('GET', '/admin/v1/models', { authorization: `Bearer ${body.key}` });
    assert.deepEqual([refused.status, refused.body.error.code], [503, 'store_unavailable']);
    assert.equal((await admin.call('GET', '/admin/v1/models')).status, 200, 'the root token needs no Redis');
  } finally {
    admin.redis.resume();
  }
  await until(() => admin.admins.trail.waiting === 0, 9_000);
  assert.deepEqual((await actions()).at(-1), ['tenant.update', 'unknown']);
});
