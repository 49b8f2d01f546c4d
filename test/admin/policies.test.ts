import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin } from './fixture.ts';

let admin: AdminFixture;

const policies = [
  { name: 'careful', caps: { max_tokens: 100 } },
  { name: 'strict', system_text: 'Be brief.' },
  { name: 'of-keys', forced: { n: 1 } },
  { name: 'of-tenants', media_hosts: [] },
];

before(async () => {
  const defaults = { key: { policy: 'of-keys' }, tenant: { policy: 'of-tenants' } };
  admin = await startAdmin({}, undefined, defaults, { policies });
});
after(() => admin.stop());

async function ask(method: string, path: string, json?: object) {
  const { status, body } = await admin.call(method, `/admin/v1${path}`, json ? { json } : {});
  assert.ok(status < 300, JSON.stringify(body));
  return body;
}

test('the policies are listed with their contents', async () => {
  const { object, data } = await ask('GET', '/policies');
  assert.equal(object, 'list');
  assert.deepEqual(
    data.map(({ name }: { name: string }) => name),
    ['careful', 'strict', 'of-keys', 'of-tenants'],
  );
  assert.deepEqual(data[0], {
    name: 'careful',
    defaults: {},
    forced: {},
    caps: { max_tokens: 100 },
    removed: [],
  });
  assert.equal(data[1].system_text, 'Be brief.');
  assert.deepEqual(data[3].media_hosts, []);
});

test('keys and tenants get the policy of the defaults, or the one that they name, or with null none', async () => {
  const plain = await ask('POST', '/keys', { tenant: 'plain', name: 'web' });
  assert.deepEqual([plain.policy, (await ask('GET', '/tenants/plain')).policy], ['of-keys', 'of-tenants']);
  const tenant = await ask('POST', '/tenants', { name: 'acme', policy: 'strict' });
  const named = await ask('POST', '/keys', { tenant: 'acme', name: 'web', policy: 'careful' });
  assert.deepEqual([tenant.policy, named.policy], ['strict', 'careful']);
  const none = await ask('POST', '/keys', { tenant: 'acme', name: 'free', policy: null });
  const free = await ask('POST', '/tenants', { name: 'free', policy: null });
  assert.deepEqual([none.policy, free.policy], [null, null]);
  const listed = (await ask('GET', '/keys?tenant=acme')).data;
  assert.deepEqual(
    listed.map(({ policy }: { policy: string | null }) => policy),
    ['careful', null],
  );
});

test('a policy is changed and taken away, and other changes leave it', async () => {
  const { id } = await ask('POST', '/keys', { tenant: 'changing', name: 'web' });
  for (const path of [`/keys/${id}`, '/tenants/changing']) {
    assert.equal((await ask('PATCH', path, { policy: 'strict' })).policy, 'strict');
    assert.equal((await ask('PATCH', path, { status: 'active' })).policy, 'strict');
    assert.equal((await ask('PATCH', path, { policy: null })).policy, null);
    assert.equal((await ask('GET', path)).policy, null);
  }
  assert.equal((await ask('POST', `/keys/${id}/rotate`)).policy, null);
});

test('a policy that there is not is refused with those that there are, and nothing is made or changed', async () => {
  const { id } = await ask('POST', '/keys', { tenant: 'kept', name: 'web' });
  for (const [method, path, fields] of [
    ['POST', '/keys', { tenant: 'unmade', name: 'web' }],
    ['PATCH', `/keys/${id}`, {}],
    ['POST', '/tenants', { name: 'unmade' }],
    ['PATCH', '/tenants/kept', {}],
  ] as const) {
    const json = { ...fields, policy: 'carefull' };
    const { status, body } = await admin.call(method, `/admin/v1${path}`, { json });
    assert.deepEqual([status, body.error.param], [400, 'policy'], `${method} ${path}`);
    assert.match(
      body.error.message,
      /no policy "carefull"; there are careful, strict, of-keys, of-tenants\./,
    );
  }
  for (const policy of [7, '', 'x'.repeat(65), ['careful']]) {
    const { status, body } = await admin.call('PATCH', `/admin/v1/keys/${id}`, { json: { policy } });
    assert.deepEqual([status, body.error.param], [400, 'policy'], JSON.stringify(policy));
  }
  assert.equal((await admin.call('GET', '/admin/v1/tenants/unmade')).status, 404);
  assert.equal((await ask('GET', `/keys/${id}`)).revision, 1);
});

test('imported keys bring their policy along, get that of the defaults, or are refused for an unknown one', async () => {
  const csv =
    'key,tenant,name,policy\nsk-import-01,imp,one,strict\nsk-import-02,imp,two,\nsk-import-03,imp,three,gone\n';
  const { body } = await admin.call('POST', '/admin/v1/keys/import?prefix=sk-', {
    headers: { 'content-type': 'text/csv' },
    body: csv,
  });
  assert.deepEqual([body.created, body.failed, body.failures[0].line], [2, 1, 4]);
  assert.match(body.failures[0].reason, /no policy "gone"; there are careful/);
  const odd = { key: 'sk-import-04', tenant: 'imp', name: 'four', policy: 4 };
  const refused = await ask('POST', '/keys/import', { form: { prefix: 'sk-' }, rows: [odd] });
  assert.match(refused.failures[0].reason, /policy must be the name/);
  const { data } = await ask('GET', '/keys?tenant=imp');
  assert.deepEqual(
    data.map(({ name, policy }: { name: string; policy: string }) => `${name} ${policy}`).sort(),
    ['one strict', 'two of-keys'],
  );
});

test('answers of a tenant show the servers that were tried only where that is switched on', async () => {
  assert.equal((await ask('POST', '/tenants', { name: 'silent' })).show_attempts, false);
  assert.equal((await ask('POST', '/tenants', { name: 'showing', show_attempts: true })).show_attempts, true);
  assert.equal((await ask('PATCH', '/tenants/showing', { priority: 'high' })).show_attempts, true);
  assert.equal((await ask('PATCH', '/tenants/showing', { show_attempts: false })).show_attempts, false);
  const { status } = await admin.call('PATCH', '/admin/v1/tenants/showing', {
    json: { show_attempts: 'yes' },
  });
  assert.equal(status, 400);
});
