/** What the admin API takes and shows of labels, scopes, addresses and proofs. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin } from './fixture.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

const call = (method: string, path: string, json?: object) =>
  admin.call(method, `/admin/v1${path}`, json && { json });

const openRules = { allowed_addresses: [], require_signature: false, require_client_certificate: false };
const plain = { note: '', tags: [], scopes: ['inference', 'jobs', 'usage'], ...openRules };
const given = {
  note: 'for the web shop\nask Kim',
  tags: ['shop', 'größe 2'],
  scopes: ['inference', 'usage'],
  allowed_addresses: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'],
  require_signature: true,
  require_client_certificate: true,
};

function part(body: Record<string, unknown>, of: object): object {
  return Object.fromEntries(Object.keys(of).map((name) => [name, body[name]]));
}

test('a key has what it was given, else nothing is demanded, and a change leaves what it does not name', async () => {
  const made = await call('POST', '/keys', { tenant: 'acme', name: 'web' });
  assert.equal(made.status, 201);
  assert.deepEqual(part(made.body, plain), plain);
  const { body } = await call('POST', '/keys', { tenant: 'acme', name: 'web', ...given });
  assert.deepEqual(part(body, given), given);
  const path = `/keys/${body.id}`;
  assert.deepEqual(part((await call('PATCH', path, { name: 'shop' })).body, given), given);
  assert.equal((await call('PATCH', path, { note: '' })).body.note, '');
  const emptied = await call('PATCH', path, { tags: [], allowed_addresses: [], require_signature: false });
  assert.deepEqual(part(emptied.body, openRules), { ...openRules, require_client_certificate: true });
  assert.deepEqual(part((await call('GET', path)).body, { last_used_at: 1, tags: 1 }), {
    last_used_at: null,
    tags: [],
  });
});

test('a tenant has an e-mail address, addresses and proofs, and another one with the same address is 409', async () => {
  const rules = {
    ...openRules,
    allowed_addresses: ['10.0.0.0/8'],
    require_jwt: true,
    email: 'Ops@Example.com',
  };
  assert.deepEqual(part((await call('POST', '/tenants', { name: 'ruled', ...rules })).body, rules), rules);
  const free = { ...openRules, require_jwt: false, email: null };
  assert.deepEqual(part((await call('POST', '/tenants', { name: 'free' })).body, free), free);
  const taken = await call('PATCH', '/tenants/free', { email: 'ops@example.com' });
  assert.deepEqual([taken.status, taken.body.error.code, taken.body.error.param], [409, 'conflict', 'email']);
  assert.equal((await call('PATCH', '/tenants/ruled', { email: null, require_jwt: false })).status, 200);
  assert.equal((await call('PATCH', '/tenants/free', { email: 'ops@example.com' })).status, 200);
  const { body } = await call('GET', '/tenants/ruled');
  assert.deepEqual(part(body, rules), { ...rules, require_jwt: false, email: null });
});

test('what does not fit is refused and named', async () => {
  const ofKey: readonly [object, string][] = [
    [{ note: 'x'.repeat(1_001) }, 'note'],
    [{ note: 'a\u001b[2J' }, 'note'],
    [{ note: 'half of one: \ud83d' }, 'note'],
    [{ tags: ['\udc00'] }, 'tags[0]'],
    [{ tags: ['a\u202eb'] }, 'tags[0]'],
    [{ tags: Array.from({ length: 21 }, (_, index) => `t${index}`) }, 'tags'],
    [{ tags: ['x'.repeat(65)] }, 'tags[0]'],
    [{ tags: ['a,b'] }, 'tags[0]'],
    [{ tags: [' a'] }, 'tags[0]'],
    [{ tags: [''] }, 'tags[0]'],
    [{ tags: ['a', 'a'] }, 'tags'],
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['admin'] }, 'scopes[0]'],
    [{ scopes: ['jobs', 'jobs'] }, 'scopes'],
    [{ scopes: null }, 'scopes'],
    [{ allowed_addresses: ['10.0.0.0/33'] }, 'allowed_addresses[0]'],
    [{ allowed_addresses: ['example.com'] }, 'allowed_addresses[0]'],
    [{ allowed_addresses: ['fe80::1%eth0'] }, 'allowed_addresses[0]'],
    [{ allowed_addresses: Array.from({ length: 101 }, () => '10.0.0.1') }, 'allowed_addresses'],
    [{ require_signature: 'yes' }, 'require_signature'],
  ];
  for (const [fields, param] of ofKey) {
    const { status, body } = await call('POST', '/keys', { tenant: 'acme', name: 'web', ...fields });
    assert.deepEqual([status, body.error?.param], [400, param], JSON.stringify(fields).slice(0, 80));
  }
  for (const email of [
    '',
    'kim',
    'a@b@c',
    'a b@c',
    'a\ud800@c',
    'a\u200b@c',
    '@c',
    'a@',
    `${'x'.repeat(65)}@c`,
    `a@${'x'.repeat(260)}`,
  ]) {
    const { status, body } = await call('PATCH', '/tenants/acme', { email });
    assert.deepEqual([status, body.error?.param], [400, 'email'], email);
  }
  for (const query of ['status=gone', 'created_before=soon', 'unused_since=1', 'tag=', 'color=red']) {
    assert.equal((await call('GET', `/keys?${query}`)).status, 400, query);
  }
});

test('a list is narrowed down by tag, status, age and use', async () => {
  const make = async (name: string, tags: string[]) =>
    (await call('POST', '/keys', { tenant: 'listed', name, tags })).body.id;
  const old = await make('old', ['a']);
  const gone = await make('gone', ['a', 'b']);
  assert.equal((await call('DELETE', `/keys/${gone}`)).status, 200);
  const ids = async (query: string) =>
    (await call('GET', `/keys?tenant=listed&${query}`)).body.data.map(({ id }: { id: string }) => id);
  const later = encodeURIComponent(new Date(Date.now() + 1_000).toISOString());
  assert.deepEqual(await ids('tag=a'), [old, gone]);
  assert.deepEqual(await ids('tag=b'), [gone]);
  assert.deepEqual(await ids('status=active'), [old]);
  assert.deepEqual(await ids(`unused_since=${later}&status=revoked`), [gone]);
  assert.deepEqual(await ids(`created_before=${later}`), [old, gone]);
  assert.deepEqual(await ids('created_before=2020-01-01'), []);
});
