/** Admin keys: shown once, refused at once when they end. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../admission/ground.ts';
import { type AdminFixture, startAdmin, TOKEN } from './fixture.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

const admins = '/admin/v1/admins';

async function make(wanted: Record<string, unknown> = {}): Promise<{ id: string; key: string }> {
  const { status, body } = await admin.call('POST', admins, {
    json: { name: 'ann', role: 'owner', ...wanted },
  });
  assert.equal(status, 201, JSON.stringify(body));
  return body;
}

function by(key: string, method = 'GET', path = admins, json?: unknown) {
  return admin.call(method, path, { authorization: `Bearer ${key}`, ...(json !== undefined && { json }) });
}

test('an admin key has a prefix of its own, a public id and a checksum, and is shown once', async () => {
  const { status, body } = await admin.call('POST', admins, { json: { name: 'ann', role: 'viewer' } });
  assert.equal(status, 201);
  const { id, key, created_at, ...rest } = body;
  assert.match(key, new RegExp(`^sluice_admin_${id.slice('adm_'.length)}_[0-9A-Za-z]{36}$`));
  assert.deepEqual(rest, {
    ...{ name: 'ann', role: 'viewer', status: 'active', expires_at: null, rotated_at: null, revision: 1 },
  });
  for (const path of [admins, `${admins}/${id}`, '/admin/v1/audit']) {
    const { text } = await admin.call('GET', path);
    assert.ok(text.includes(id), path);
    assert.ok(!text.includes(key.slice(-36)), path);
  }
  assert.ok(!JSON.stringify(admin.logLines()).includes(key.slice(-36)));
});

test('Redis has the HMAC of an admin key, and never the key', async () => {
  const { key } = await make();
  const { connection } = admin;
  const records = await connection.ask((client) => client.hvals(connection.keys.admins()));
  assert.ok(records.ok && records.value.some((text) => /"digest":"[\w-]{43}"/.test(text)));
  assert.ok(!JSON.stringify(records).includes(key.slice(-36)));
});

test('a key that was rotated away ends at once, or with its overlap', async () => {
  const first = await make();
  const rotated = await admin.call('POST', `${admins}/${first.id}/rotate`, { json: { overlap_seconds: 60 } });
  assert.equal((await by(first.key)).status, 200);
  assert.equal((await by(rotated.body.key)).status, 200);
  const last = await admin.call('POST', `${admins}/${first.id}/rotate`, { json: {} });
  assert.deepEqual(
    await Promise.all(
      [first.key, rotated.body.key, last.body.key].map(async (key) => (await by(key)).status),
    ),
    [401, 401, 200],
  );
});

test('the overlap of a rotation ends by itself', async () => {
  const { id, key } = await make();
  await admin.call('POST', `${admins}/${id}/rotate`, { json: { overlap_seconds: 1 } });
  assert.equal((await by(key)).status, 200);
  await until(async () => (await by(key)).status === 401);
});

test('who is disabled, revoked or expired is refused from the next request on, by every gateway', async () => {
  const { id, key } = await make();
  const other = admin.admins.adminKeys;
  assert.equal((await other.check(key)).ok, true);
  await admin.call('PATCH', `${admins}/${id}`, { json: { status: 'disabled' } });
  assert.deepEqual([(await by(key)).status, (await other.check(key)).ok], [401, false]);
  await admin.call('PATCH', `${admins}/${id}`, { json: { status: 'active' } });
  assert.equal((await by(key)).status, 200);

  await admin.call('PATCH', `${admins}/${id}`, { json: { expires_at: '2020-01-01' } });
  assert.equal((await by(key)).status, 401);
  await admin.call('PATCH', `${admins}/${id}`, { json: { expires_at: null } });
  assert.equal((await by(key)).status, 200);

  assert.equal((await admin.call('DELETE', `${admins}/${id}`)).body.status, 'revoked');
  assert.deepEqual([(await by(key)).status, (await other.check(key)).ok], [401, false]);
  const again = await admin.call('PATCH', `${admins}/${id}`, { json: { status: 'active' } });
  assert.deepEqual([again.status, again.body.error.code], [409, 'conflict']);
  const reasons = admin
    .logLines()
    .flatMap(({ msg, reason }) => (msg === 'admin token refused' ? [reason] : []));
  for (const reason of [`disabled: ${id}`, `expired: ${id}`, `revoked: ${id}`]) {
    assert.ok(reasons.includes(reason), reason);
  }
});

test('a change of the role holds from the next request on', async () => {
  const { id, key } = await make({ role: 'viewer' });
  assert.equal((await by(key, 'POST', '/admin/v1/config/reload', {})).status, 403);
  await admin.call('PATCH', `${admins}/${id}`, { json: { role: 'owner' } });
  assert.equal((await by(key, 'POST', '/admin/v1/config/reload', {})).status, 200);
});

test('the last use is noted', async () => {
  const { id, key } = await make();
  const lastUse = async () => (await admin.call('GET', `${admins}/${id}`)).body.last_used_at;
  assert.equal(await lastUse(), null);
  const beganMs = Date.now();
  await by(key);
  await until(async () => (await lastUse()) !== null);
  assert.ok(Date.parse(await lastUse()) >= beganMs);
});

test('the last owner may be taken away, since the token of the environment is one too', async () => {
  const { body } = await admin.call('GET', admins);
  for (const { id, role } of body.data) if (role === 'owner') await admin.call('DELETE', `${admins}/${id}`);
  const { body: left } = await admin.call('GET', admins);
  assert.ok(
    left.data.every(
      (one: { role: string; status: string }) => one.role !== 'owner' || one.status === 'revoked',
    ),
  );
  await make({ name: 'new owner' });
});

test('names, roles and dates that cannot be are refused by field', async () => {
  const wrong = [
    [{ name: 'root', role: 'viewer' }, 'name'],
    [{ name: '', role: 'viewer' }, 'name'],
    [{ name: 'ann', role: 'king' }, 'role'],
    [{ name: 'ann' }, 'role'],
    [{ name: 'ann', role: 'viewer', expires_at: '2020-01-01' }, 'expires_at'],
    [{ name: 'ann', role: 'viewer', key: 'sluice_admin_x' }, 'key'],
  ] as const;
  for (const [json, param] of wrong) {
    const { status, body } = await admin.call('POST', admins, { json });
    assert.deepEqual([status, body.error.param], [400, param], JSON.stringify(json));
  }
});

test('a list comes in pages, the oldest first', async () => {
  const all = (await admin.call('GET', admins)).body.data.map(({ id }: { id: string }) => id);
  const first = (await admin.call('GET', `${admins}?limit=2`)).body;
  const second = (await admin.call('GET', `${admins}?limit=1000&cursor=${first.next_cursor}`)).body;
  const ids = [...first.data, ...second.data].map(({ id }: { id: string }) => id);
  assert.deepEqual([ids, second.next_cursor], [all, null]);
  assert.equal((await admin.call('GET', `${admins}?cursor=adm_none`)).status, 400);
});

test('a token that is neither is refused without a word of why', async () => {
  const { key } = await make();
  const swapped = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0');
  for (const wrong of [swapped, key.toUpperCase(), key.slice(0, -1), `${TOKEN}x`]) {
    const { status, body } = await by(wrong);
    assert.deepEqual([status, body.error.message], [401, 'The admin token is missing or wrong.'], wrong);
  }
});
