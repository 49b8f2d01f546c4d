/** Who changed what, when and from where: one trail for the installation, without a secret in it. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { StoredAuditEntry } from '../../src/core/audit.ts';
import { auditTable } from '../../src/redis/audit-table.ts';
import { type AdminFixture, startAdmin, TOKEN } from './fixture.ts';

let admin: AdminFixture;
let operator: { id: string; key: string };

before(async () => {
  admin = await startAdmin();
  const json = { name: 'ann', role: 'operator' };
  operator = (await admin.call('POST', '/admin/v1/admins', { json })).body;
});
after(() => admin.stop());

function byOperator(method: string, path: string, json?: unknown) {
  return admin.call(method, `/admin/v1${path}`, {
    authorization: `Bearer ${operator.key}`,
    headers: { 'x-request-id': 'request-of-ann' },
    ...(json !== undefined && { json }),
  });
}

async function trail(query = ''): Promise<StoredAuditEntry[]> {
  const { status, body } = await admin.call('GET', `/admin/v1/audit?${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.data;
}

test('an entry says who, from where, what, and each field before and after', async () => {
  const limits = { requests_per_minute: 10 };
  const { body: made } = await byOperator('POST', '/keys', { tenant: 'acme', name: 'web', limits });
  await byOperator('PATCH', `/keys/${made.id}`, {
    name: 'site',
    limits: { ...limits, requests_per_minute: 20 },
    models: ['a', 'b'],
  });
  const [update, create] = await trail(`subject=${made.id}`);
  assert.ok(update && create);
  const { id, at, changes, ...rest } = update;
  assert.match(id, /^\d+-\d+$/);
  assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
  assert.deepEqual(rest, {
    ...{ actor: operator.id, actor_name: 'ann', role: 'operator', address: '127.0.0.1' },
    ...{ request_id: 'request-of-ann', action: 'key.update', outcome: 'done' },
    ...{ subject: { key: made.id, tenant: 'acme' }, counts: {} },
  });
  assert.deepEqual(changes, {
    name: { before: 'web', after: 'site' },
    'limits.requests_per_minute': { before: 10, after: 20 },
    models: { before: null, after: ['a', 'b'] },
  });
  assert.deepEqual([create.action, create.changes.name], ['key.create', { before: null, after: 'web' }]);
});

test('every kind of write leaves one entry, and none has a secret', async () => {
  const { body: made } = await byOperator('POST', '/keys', { tenant: 'kinds', name: 'web' });
  const { body: rotated } = await byOperator('POST', `/keys/${made.id}/rotate`, {});
  await byOperator('DELETE', `/keys/${made.id}`);
  await byOperator('PATCH', '/tenants/kinds', { priority: 'high' });
  await byOperator('POST', '/tenants', { name: 'fresh' });
  const hook = 'https://93.184.216.34/services/a-secret-in-the-path';
  const { body: webhook } = await byOperator('PUT', '/tenants/kinds/webhook', { url: hook });
  assert.match(webhook.secret ?? '', /^whsec_/, JSON.stringify(webhook));
  await byOperator('POST', '/tenants/kinds/webhook/rotate-secret', {});
  await byOperator('DELETE', '/tenants/kinds/webhook');
  const rows = [{ key: 'brought-along-1', tenant: 'kinds', name: 'n' }, { key: 'short' }];
  await byOperator('POST', '/keys/import', { form: { prefix: 'brought-' }, rows });
  await admin.call('POST', '/admin/v1/config/reload', { json: {} });

  const entries = await trail('limit=10');
  assert.deepEqual(
    entries.map(({ action, actor_name }) => `${actor_name} ${action}`).reverse(),
    [
      ...['key.create', 'key.rotate', 'key.revoke', 'tenant.update', 'tenant.create'],
      ...['webhook.set', 'webhook.rotate', 'webhook.remove', 'key.import'],
    ]
      .map((action) => `ann ${action}`)
      .concat('root config.reload'),
  );
  assert.deepEqual(entries[1]?.counts, { total: 2, created: 1, unchanged: 0, failed: 1 });
  assert.deepEqual(entries[4]?.changes.url, { before: null, after: 'https://93.184.216.34/…' });
  const text = JSON.stringify(await trail('limit=1000'));
  for (const secret of [
    made.key,
    rotated.key,
    operator.key,
    webhook.secret,
    TOKEN,
    'brought-along',
    'a-secret',
  ]) {
    assert.ok(!text.includes(secret.slice(-20)), secret);
  }
});

test('of signing keys the trail has what was entered, changed and taken away, for key and tenant', async () => {
  const { body: made } = await byOperator('POST', '/keys', { tenant: 'signers', name: 'web' });
  const path = `/keys/${made.id}/signing-keys`;
  const public_key = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  const { body: entered } = await byOperator('PUT', path, { alg: 'ed25519', public_key, note: 'old' });
  await byOperator('PUT', path, { alg: 'ed25519', public_key, note: 'new' });
  const { body: shared } = await byOperator('PUT', path, { alg: 'hmac-sha256', overlap_seconds: 60 });
  await byOperator('DELETE', `${path}/${shared.id}`);

  const entries = await trail('subject=signers&action=key&limit=4');
  assert.deepEqual(
    entries.map(({ action, subject }) => [action, subject.key, subject.signing_key]).reverse(),
    [
      ['key.signing_add', made.id, entered.id],
      ['key.signing_add', made.id, entered.id],
      ['key.signing_add', made.id, shared.id],
      ['key.signing_remove', made.id, shared.id],
    ],
  );
  assert.deepEqual(entries[3]?.changes.note, { before: null, after: 'old' });
  assert.deepEqual(entries[2]?.changes, { note: { before: 'old', after: 'new' } });
  assert.deepEqual(entries[1]?.counts, { overlap_seconds: 60 });
  assert.deepEqual(entries[0]?.changes.alg, { before: 'hmac-sha256', after: null });
  assert.ok(!JSON.stringify(entries).includes(shared.secret.slice('sigsec_'.length, -4)));
});

test('what was refused changes nothing and leaves a line of the log alone', async () => {
  const before = (await trail('limit=1'))[0]?.id;
  assert.equal((await byOperator('PATCH', '/keys/key_none00000000', { name: 'x' })).status, 404);
  assert.equal((await trail('limit=1'))[0]?.id, before);
  const line = admin.logLines().findLast(({ msg }) => msg === 'admin write refused');
  assert.deepEqual([line?.actor, line?.action, line?.error], [operator.id, 'key.update', 'not_found']);
});

test('a role that does not suffice leaves an entry, once an hour for each route', async () => {
  for (let count = 0; count < 3; count += 1) {
    assert.equal((await byOperator('POST', '/admins', { name: 'me', role: 'owner' })).status, 403);
  }
  await byOperator('POST', '/config/reload', {});
  await admin.admins.trail.stop();
  const refused = await trail('action=role.refused');
  assert.deepEqual(
    refused.map(({ actor, outcome, subject }) => [actor, outcome, subject.route, subject.needed_role]),
    [
      [operator.id, 'refused', 'POST /admin/v1/config/reload', 'owner'],
      [operator.id, 'refused', 'POST /admin/v1/admins', 'owner'],
    ],
  );
});

test('the trail is read by actor, action, subject and time, in pages, the newest first', async () => {
  const beganAt = new Date().toISOString();
  for (let count = 0; count < 7; count += 1)
    await admin.call('POST', '/admin/v1/tenants', { json: { name: `t${count}` } });
  const created = await trail(`action=tenant.create&from=${beganAt}`);
  assert.deepEqual(
    created.map(({ subject }) => subject.tenant),
    ['t6', 't5', 't4', 't3', 't2', 't1', 't0'],
  );
  assert.equal((await trail(`action=tenant&actor=root&from=${beganAt}`)).length, 7);
  assert.equal((await trail(`actor=ann&from=${beganAt}`)).length, 0);
  assert.deepEqual(
    (await trail('subject=t3')).map(({ action }) => action),
    ['tenant.create'],
  );
  assert.ok((await trail(`to=${beganAt}&limit=1000`)).every(({ at }) => at <= beganAt));

  const seen: string[] = [];
  let cursor = '';
  do {
    const { body } = await admin.call('GET', `/admin/v1/audit?limit=3&action=tenant.create${cursor}`);
    seen.push(...body.data.map(({ id }: { id: string }) => id));
    cursor = body.next_cursor && `&cursor=${body.next_cursor}`;
  } while (cursor);
  assert.deepEqual(
    seen,
    (await trail('action=tenant.create&limit=1000')).map(({ id }) => id),
  );
  for (const wrong of ['from=yesterday', 'cursor=x', 'action=Key', 'limit=0', 'what=x']) {
    assert.equal((await admin.call('GET', `/admin/v1/audit?${wrong}`)).status, 400, wrong);
  }
});

test('a filter that hardly fits anything finds what there is, over more entries than are read at a time', async () => {
  const { connection, admins } = admin;
  const [sample] = await trail('subject=t3');
  assert.ok(sample);
  const entry = JSON.stringify({ ...sample, subject: { tenant: 'crowd' } });
  const added = await connection.ask(async (client) => {
    const adding = client.pipeline();
    for (let count = 0; count < 6_000; count += 1) adding.xadd(connection.keys.audit(), '*', 'entry', entry);
    adding.xadd(connection.keys.audit(), '*', 'what', 'is no entry');
    return (await adding.exec())?.length;
  });
  assert.deepEqual(added, { ok: true, value: 6_001 });
  const first = (await admin.call('GET', '/admin/v1/audit?subject=t3')).body;
  assert.deepEqual([first.data.length, typeof first.next_cursor], [0, 'string']);
  const second = (await admin.call('GET', `/admin/v1/audit?subject=t3&cursor=${first.next_cursor}`)).body;
  assert.deepEqual([second.data.length, second.next_cursor], [1, null]);

  const short = auditTable(connection, 100);
  for (let count = 0; count < 3; count += 1) await short.append(sample);
  const kept = await connection.ask((client) => client.xlen(connection.keys.audit()));
  assert.ok(
    kept.ok && kept.value >= 100 && kept.value <= 300,
    `${kept.ok && kept.value} are kept of some 6,000`,
  );
  assert.equal(admins.trail.waiting, 0);
});
