import assert from 'node:assert/strict';
import { test } from 'node:test';
import { must, newKey, openGround } from './ground.ts';

test('a thousand keys are listed page by page, each once, oldest first', async (t) => {
  const { store } = await openGround(t);
  const rows = Array.from({ length: 1_000 }, (_, index) => ({
    key: `sk-${String(index).padStart(12, '0')}`,
    tenant: `tenant-${index % 7}`,
    name: `key ${index}`,
    created_at: new Date(1_700_000_000_000 + Math.floor(index / 10) * 1_000).toISOString(),
  }));
  must(await store.importKeys(rows, { prefix: 'sk-' }));

  const pages = async (tenant?: string) => {
    const seen: { id: string; created_at: string; tenant: string }[] = [];
    let cursor: string | undefined;
    do {
      const page = must(await store.list({ limit: 137, cursor, tenant }));
      seen.push(...page.records);
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    return seen;
  };
  const all = await pages();
  assert.equal(new Set(all.map(({ id }) => id)).size, 1_000);
  assert.deepEqual(
    all.map(({ created_at }) => created_at),
    all.map(({ created_at }) => created_at).sort(),
  );
  const one = await pages('tenant-3');
  assert.equal(one.length, 143);
  assert.ok(one.every(({ tenant }) => tenant === 'tenant-3'));
  assert.equal(must(await store.list({ limit: 1_000 })).next_cursor, null);
  assert.deepEqual(await pages('nobody'), []);
});

test('tenants are made on the way and listed by name', async (t) => {
  const { store } = await openGround(t);
  for (const tenant of ['c', 'a', 'b', 'a']) await newKey(store, tenant);
  const first = must(await store.listTenants({ limit: 2 }));
  assert.deepEqual(
    first.tenants.map(({ name, status }) => [name, status]),
    [
      ['a', 'active'],
      ['b', 'active'],
    ],
  );
  const second = must(await store.listTenants({ limit: 2, cursor: first.next_cursor ?? undefined }));
  assert.deepEqual([second.tenants[0]?.name, second.tenants.length, second.next_cursor], ['c', 1, null]);
  assert.equal(must(await store.getTenant('a')).tenant.revision, 1);
});

test('what is not there is not found, and a page out of bounds is refused', async (t) => {
  const { store } = await openGround(t);
  const refusals = await Promise.all([
    store.get('key_000000000000'),
    store.update('key_000000000000', {}),
    store.rotate('key_000000000000'),
    store.revoke('key_000000000000'),
    store.getTenant('nobody'),
    store.updateTenant('nobody', { status: 'disabled' }),
    store.list({ limit: 0 }),
    store.list({ limit: 1_001 }),
    store.list({ limit: 1, cursor: 'nothing' }),
    store.create({ tenant: '{x}', name: 'x', models: null, expires_at: null }),
    store.create({ tenant: 'x', name: '', models: null, expires_at: null }),
    store.create({ tenant: 'x', name: 'x', models: [], expires_at: null }),
    store.create({ tenant: 'x', name: 'x', models: null, expires_at: 'never' }),
  ]);
  assert.deepEqual(
    refusals.map((result) => (result.ok ? 'ok' : result.refusal.name)),
    [...Array(6).fill('not_found'), ...Array(7).fill('invalid_parameter')],
  );
});
