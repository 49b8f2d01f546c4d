import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { noLimits } from '../../src/core/limits.ts';
import { type AdminFixture, startAdmin } from './fixture.ts';

let admin: AdminFixture;

const keyDefaults = {
  limits: { requests_per_minute: 60, burst_requests: 5, max_concurrent: 2 },
  quotas: [{ period: 'day' as const, requests: 1_000 }],
  models: ['small'],
};
const tenantDefaults = { limits: { tokens_per_minute: 9_000 } };

before(async () => {
  admin = await startAdmin({}, undefined, { key: keyDefaults, tenant: tenantDefaults });
});
after(() => admin.stop());

async function ask(method: string, path: string, json?: object) {
  const { status, body } = await admin.call(method, `/admin/v1${path}`, json ? { json } : {});
  assert.ok(status < 300, JSON.stringify(body));
  return body;
}

const dayQuota = {
  period: 'day',
  requests: 1_000,
  tokens: null,
  images: null,
  gpu_seconds: null,
  cost_usd: null,
};

test('a new key and its new tenant get from the defaults what they leave out, and nothing that they name', async () => {
  const plain = await ask('POST', '/keys', { tenant: 'acme', name: 'plain' });
  assert.deepEqual(plain.limits, { ...noLimits, ...keyDefaults.limits });
  assert.deepEqual([plain.quotas, plain.models], [[dayQuota], ['small']]);
  const tenant = await ask('GET', '/tenants/acme');
  assert.deepEqual(tenant.limits, { ...noLimits, ...tenantDefaults.limits });
  assert.deepEqual([tenant.quotas, tenant.models], [[], null]);

  const own = await ask('POST', '/keys', {
    tenant: 'acme',
    name: 'own',
    limits: { requests_per_minute: 7, max_concurrent: null },
    quotas: [],
    models: null,
  });
  assert.deepEqual(own.limits, { ...noLimits, requests_per_minute: 7 });
  assert.deepEqual([own.quotas, own.models], [[], null]);
});

test('an imported key gets them too', async () => {
  const json = {
    form: { prefix: 'imp-' },
    rows: [{ key: 'imp-0000001', tenant: 'imported', name: 'a', rate_limit: 9 }],
  };
  assert.equal((await ask('POST', '/keys/import', json)).created, 1);
  const [record] = (await ask('GET', '/keys?tenant=imported')).data;
  assert.deepEqual(record.limits, { ...noLimits, requests_per_minute: 9, max_concurrent: 2 });
  assert.deepEqual([record.quotas, record.models], [[dayQuota], ['small']]);
});

test('a change replaces limits, quotas or models as a whole, without the defaults, and leaves the others', async () => {
  const { id } = await ask('POST', '/keys', { tenant: 'acme', name: 'changed' });
  const limited = await ask('PATCH', `/keys/${id}`, { limits: { tokens_per_minute: 5 } });
  assert.deepEqual(limited.limits, { ...noLimits, tokens_per_minute: 5 });
  assert.deepEqual([limited.quotas, limited.models, limited.revision], [[dayQuota], ['small'], 2]);
  const opened = await ask('PATCH', `/keys/${id}`, {
    limits: {},
    quotas: [],
    models: { big: { max_concurrent: 1 } },
  });
  assert.deepEqual([opened.limits, opened.quotas], [noLimits, []]);
  assert.deepEqual(opened.models, { big: { ...noLimits, max_concurrent: 1 } });
  assert.deepEqual(await ask('GET', `/keys/${id}`), { ...opened, last_used_at: null });
});

test('a tenant is made once: the second time is a conflict and changes nothing', async () => {
  const wanted = { name: 'early', limits: { max_concurrent: 3 }, models: { a: {} } };
  const made = await ask('POST', '/tenants', wanted);
  assert.deepEqual(made.limits, { ...noLimits, ...tenantDefaults.limits, max_concurrent: 3 });
  const { status, body } = await admin.call('POST', '/admin/v1/tenants', { json: { name: 'early' } });
  assert.deepEqual([status, body.error.param], [409, 'name']);
  await ask('POST', '/keys', { tenant: 'early', name: 'first' });
  assert.deepEqual(await ask('GET', '/tenants/early'), made);
  const listed = (await ask('GET', '/tenants')).data.find(({ name }: { name: string }) => name === 'early');
  assert.deepEqual(listed, made);
});

test('a tenant has one of three priorities, the middle one by default', async () => {
  assert.equal((await ask('POST', '/tenants', { name: 'middle' })).priority, 'normal');
  const made = await ask('POST', '/tenants', { name: 'ranked', priority: 'low' });
  assert.equal(made.priority, 'low');
  const raised = await ask('PATCH', '/tenants/ranked', { priority: 'high' });
  assert.deepEqual(raised, { ...made, priority: 'high', revision: 2 });
  assert.equal((await ask('PATCH', '/tenants/ranked', { status: 'disabled' })).priority, 'high');
  for (const priority of ['highest', 1, null]) {
    for (const [method, path, json] of [
      ['POST', '/tenants', { name: 'other', priority }],
      ['PATCH', '/tenants/ranked', { priority }],
    ] as const) {
      const { status, body } = await admin.call(method, `/admin/v1${path}`, { json });
      assert.deepEqual([status, body.error.param], [400, 'priority'], JSON.stringify(json));
    }
  }
});

test('a tenant is changed field by field; what is not named stays', async () => {
  const made = await ask('POST', '/tenants', { name: 'field', quotas: [{ period: 'total', cost_usd: 5 }] });
  const stopped = await ask('PATCH', '/tenants/field', { status: 'disabled' });
  assert.deepEqual(stopped, { ...made, status: 'disabled', revision: 2 });
  const limited = await ask('PATCH', '/tenants/field', { limits: { requests_per_minute: 1 }, models: ['a'] });
  const limits = { ...noLimits, requests_per_minute: 1 };
  assert.deepEqual(limited, { ...stopped, limits, models: ['a'], revision: 3 });
  for (const json of [{}, { name: 'other' }, { status: 'gone' }]) {
    assert.equal(
      (await admin.call('PATCH', '/admin/v1/tenants/field', { json })).status,
      400,
      JSON.stringify(json),
    );
  }
});

test('every write is in the log, field by field', async () => {
  await ask('PATCH', '/tenants/field', { limits: { requests_per_minute: 123_321 } });
  const line = admin.logLines().findLast(({ action }) => action === 'tenant.update');
  const changes = Object(line?.changes);
  assert.deepEqual([line?.tenant, changes['limits.requests_per_minute']?.after], ['field', 123_321]);
  assert.ok(admin.logLines().some(({ action, tenant }) => action === 'tenant.create' && tenant === 'early'));
});
