import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { plainKey } from '../../src/admission/keys/key-fields.ts';
import { noAllowance } from '../../src/core/limits.ts';
import { type AdminFixture, startAdmin } from './fixture.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

async function create(fields: object = {}) {
  const { status, body } = await admin.call('POST', '/admin/v1/keys', {
    json: { tenant: 'acme', name: 'web', ...fields },
  });
  assert.equal(status, 201);
  return body;
}

test('a new key is shown once: in the answer that made it', async () => {
  const expires_at = '2099-01-31T12:00:00+02:00';
  const { key, ...record } = await create({ models: ['a', 'b/c'], expires_at });
  assert.match(key, /^slc_[0-9A-Za-z]{12}_[0-9A-Za-z]{36}$/);
  const { id, created_at, ...rest } = record;
  assert.match(id, /^key_/);
  assert.ok(Date.now() - Date.parse(created_at) < 60_000);
  assert.deepEqual(rest, {
    tenant: 'acme',
    name: 'web',
    status: 'active',
    origin: 'generated',
    ...noAllowance,
    models: ['a', 'b/c'],
    policy: null,
    oversize_rule: null,
    ...plainKey,
    expires_at: '2099-01-31T10:00:00.000Z',
    rotated_at: null,
    revision: 1,
  });

  const shown = await admin.call('GET', `/admin/v1/keys/${id}`);
  const listed = await admin.call('GET', '/admin/v1/keys?tenant=acme');
  assert.deepEqual(shown.body, { ...record, last_used_at: null });
  assert.ok(listed.text.includes(id));
  for (const { text } of [shown, listed]) assert.ok(!text.includes(key.slice(-36)));
});

test('a key is changed field by field; what is not named stays', async () => {
  const { id } = await create({ models: ['a'] });
  const path = `/admin/v1/keys/${id}`;
  const renamed = await admin.call('PATCH', path, { json: { name: 'new name' } });
  assert.deepEqual([renamed.status, renamed.body.name, renamed.body.models], [200, 'new name', ['a']]);
  const opened = await admin.call('PATCH', path, { json: { models: null, expires_at: '2099-01-01' } });
  assert.deepEqual([opened.body.models, opened.body.expires_at], [null, '2099-01-01T00:00:00.000Z']);
  const lasting = await admin.call('PATCH', path, { json: { expires_at: null, status: 'disabled' } });
  assert.deepEqual(
    [lasting.body.expires_at, lasting.body.status, lasting.body.name],
    [null, 'disabled', 'new name'],
  );
  assert.equal((await admin.call('PATCH', path, { json: { status: 'active' } })).body.status, 'active');
});

test('rotation keeps the id and answers with the new secret, with or without a body', async () => {
  const first = await create();
  const path = `/admin/v1/keys/${first.id}/rotate`;
  const second = await admin.call('POST', path);
  const third = await admin.call('POST', path, { json: { overlap_seconds: 0 } });
  for (const { status, body } of [second, third]) {
    assert.equal(status, 200);
    assert.equal(body.id, first.id);
    assert.ok(body.rotated_at);
  }
  assert.equal(new Set([first.key, second.body.key, third.body.key]).size, 3);
  assert.equal((await admin.call('POST', path, { json: { overlap_seconds: -1 } })).status, 400);
});

test('a revoked key stays revoked; revoking again says the same', async () => {
  const { id } = await create();
  for (let time = 0; time < 2; time += 1) {
    const { status, body } = await admin.call('DELETE', `/admin/v1/keys/${id}`);
    assert.deepEqual([status, body.id, body.status], [200, id, 'revoked']);
  }
  const revived = await admin.call('PATCH', `/admin/v1/keys/${id}`, { json: { status: 'active' } });
  assert.equal(revived.status, 409);
  assert.equal((await admin.call('GET', `/admin/v1/keys/${id}`)).body.status, 'revoked');
});

test('lists come page by page, each key once', async () => {
  const made: string[] = [];
  for (let index = 0; index < 7; index += 1) made.push((await create({ tenant: 'pages' })).id);
  const seen: string[] = [];
  let cursor = '';
  do {
    const { body } = await admin.call(
      'GET',
      `/admin/v1/keys?tenant=pages&limit=3${cursor && `&cursor=${cursor}`}`,
    );
    assert.equal(body.object, 'list');
    assert.ok(body.data.length <= 3);
    seen.push(...body.data.map(({ id }: { id: string }) => id));
    cursor = body.next_cursor && encodeURIComponent(body.next_cursor);
  } while (cursor);
  assert.deepEqual(seen.toSorted(), made.toSorted());
});

test('a tenant comes with its first key, and can be switched off and on', async () => {
  await create({ tenant: 'team@example.org' });
  const path = '/admin/v1/tenants/team@example.org';
  assert.equal((await admin.call('GET', path)).body.status, 'active');
  assert.equal((await admin.call('PATCH', path, { json: { status: 'disabled' } })).body.status, 'disabled');
  const { body } = await admin.call('GET', '/admin/v1/tenants?limit=1000');
  const listed = body.data.find(({ name }: { name: string }) => name === 'team@example.org');
  assert.equal(listed.status, 'disabled');
  assert.equal((await admin.call('PATCH', path, { json: { status: 'active' } })).body.status, 'active');
  assert.equal(
    (await admin.call('PATCH', '/admin/v1/tenants/nobody', { json: { status: 'active' } })).status,
    404,
  );
});

test('the GPU servers are listed as the gateway reports them', async () => {
  const { body } = await admin.call('GET', '/admin/v1/upstreams');
  assert.equal(body.object, 'list');
  assert.deepEqual(body.data[0].models, ['sim-small']);
});
