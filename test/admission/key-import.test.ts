import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImportedRow, ImportRow } from '../../src/admission/keys/key-store.ts';
import { noLimits } from '../../src/core/limits.ts';
import { ask, must, newKey, openGround, until } from './ground.ts';

const prefix = { prefix: 'sk-' };

function outcomes(rows: readonly ImportedRow[]): string[] {
  return rows.map(({ outcome }) => outcome);
}

test('imported keys work on every replica within a second, with their fields', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica({ cache_seconds: 300 });
  assert.equal(await ask(other, 'sk-first-0001'), '401 malformed');
  const { rows } = must(
    await store.importKeys(
      [
        {
          key: 'sk-first-0001',
          tenant: 'acme',
          name: 'one',
          models: 'small;large',
          created_at: '2024-05-01 10:00:00',
        },
        { key: 'sk-second-002', tenant: 'acme', name: 'two', is_active: 'false' },
        { key: 'sk-third-0003', tenant: 'beta', name: 'three', expires_at: '2020-01-01', rate_limit: '' },
      ],
      prefix,
    ),
  );
  assert.deepEqual(outcomes(rows), ['created', 'created', 'created']);
  await until(async () => (await ask(other, 'sk-first-0001')) === 'ok', 1_000);
  assert.equal(await ask(other, 'sk-second-002'), `401 disabled ${rows[1]?.id}`);
  assert.equal(await ask(other, 'sk-third-0003'), `401 expired ${rows[2]?.id}`);
  const { record } = must(await store.get(rows[0]?.id ?? ''));
  assert.deepEqual(record.models, ['small', 'large']);
  assert.equal(record.created_at, '2024-05-01T10:00:00.000Z');
  assert.equal(record.origin, 'imported');
});

test('an imported key has the note, tags, scopes and addresses of its row, as a list or as text', async (t) => {
  const { store } = await openGround(t);
  const row = { tenant: 'acme', name: 'one', note: 'of the shop' };
  const { rows } = must(
    await store.importKeys(
      [
        {
          ...row,
          key: 'sk-text-00001',
          tags: 'a;b',
          scopes: 'usage|jobs',
          allowed_addresses: '10.0.0.0/8; ::1',
        },
        { ...row, key: 'sk-list-00001', tags: ['a'], scopes: ['jobs'], allowed_addresses: ['10.0.0.0/8'] },
        { key: 'sk-none-00001', tenant: 'acme', name: 'two', scopes: '', allowed_addresses: null },
      ],
      prefix,
    ),
  );
  const given = await Promise.all(
    rows.map(async ({ id }) => {
      const { note, tags, scopes, allowed_addresses } = must(await store.get(id ?? '')).record;
      return [note, tags, scopes, allowed_addresses];
    }),
  );
  assert.deepEqual(given, [
    ['of the shop', ['a', 'b'], ['usage', 'jobs'], ['10.0.0.0/8', '::1']],
    ['of the shop', ['a'], ['jobs'], ['10.0.0.0/8']],
    ['', [], ['inference', 'jobs', 'usage'], []],
  ]);
});

test('importing again changes nothing, and a key of another tenant is not taken over', async (t) => {
  const { store } = await openGround(t);
  const row = { key: 'sk-first-0001', tenant: 'acme', name: 'one' };
  const first = must(await store.importKeys([row], prefix)).rows;
  const again = must(await store.importKeys([row, row, { ...row, tenant: 'thief' }], prefix)).rows;
  assert.deepEqual(outcomes(again), ['unchanged', 'unchanged', 'refused']);
  assert.equal(again[0]?.id, first[0]?.id);
  assert.equal(must(await store.list({ limit: 10 })).records.length, 1);
});

test('a revoked key does not come back by import', async (t) => {
  const { store } = await openGround(t);
  const row = { key: 'sk-first-0001', tenant: 'acme', name: 'one' };
  const { rows } = must(await store.importKeys([row], prefix));
  must(await store.revoke(rows[0]?.id ?? ''));
  assert.deepEqual(outcomes(must(await store.importKeys([row], prefix)).rows), ['refused']);
});

test('an import that was cut off between pointer and record is finished by the next one', async (t) => {
  const { store, connection } = await openGround(t);
  const row = { key: 'sk-first-0001', tenant: 'acme', name: 'one' };
  const first = must(await store.importKeys([row], prefix)).rows[0]?.id ?? '';
  await connection.ask((client) => client.del(connection.keys.key('acme', first)));
  const { rows } = must(await store.importKeys([row], prefix));
  assert.deepEqual(outcomes(rows), ['created']);
  assert.equal(rows[0]?.id, first);
});

test('each fault refuses its own row, and says what it is without the key', async (t) => {
  const { store } = await openGround(t);
  const good = { key: 'sk-good-00001', tenant: 'acme', name: 'one' };
  const bad: readonly (readonly [ImportRow, RegExp])[] = [
    [{ ...good, key: 'pk-other-form' }, /prefix or length/],
    [{ ...good, key: 'sk-1' }, /8 to 256/],
    [{ ...good, key: 'sk-with a space' }, /8 to 256/],
    [{ ...good, key: 17 }, /texts/],
    [{ ...good, tenant: 'a/b' }, /tenant/],
    [{ ...good, name: '' }, /texts/],
    [{ ...good, models: 7 }, /models/],
    [{ ...good, expires_at: 'soon' }, /ISO 8601/],
    [{ ...good, is_active: 'maybe' }, /is_active/],
    [{ ...good, rate_limit: 0 }, /rate_limit must be a whole number from 1/],
    [{ ...good, rate_limit: '1.5' }, /rate_limit must be/],
    [{ ...good, rate_limit: 5, limits: { max_concurrent: 1 } }, /rate_limit or limits/],
    [{ ...good, total_quota: -1 }, /total_quota must be/],
    [{ ...good, total_quota: 5, quotas: [{ period: 'total', tokens: 1 }] }, /total_quota or a quota/],
    [{ ...good, used_quota: 'many' }, /used_quota must be/],
    [{ ...good, limits: { requests_per_hour: 1 } }, /limits must not hold "requests_per_hour"/],
    [{ ...good, limits: 'none' }, /limits must be a mapping/],
    [{ ...good, quotas: [{ period: 'day' }] }, /quotas.0 must limit/],
    [{ ...good, models: { a: 5 } }, /models.a must be/],
    [{ ...good, allowed_ips: '10.0.0.1' }, /allowed_ips is named allowed_addresses here/],
    [{ ...good, allowed_addresses: '10.0.0.0/8;nowhere' }, /allowed_addresses.1 must be an address/],
    [{ ...good, scopes: 'inference;admin' }, /scopes.1 /],
    [{ ...good, tags: ['a', 'a'] }, /tags must not hold a tag twice/],
    [{ ...good, colour: 'red' }, /no field "colour"/],
  ];
  const { rows } = must(await store.importKeys([...bad.map(([row]) => row), good], prefix));
  assert.equal(rows.at(-1)?.outcome, 'created');
  for (const [index, [row, message]] of bad.entries()) {
    assert.equal(rows[index]?.row, index + 1);
    assert.equal(rows[index]?.outcome, 'refused');
    assert.match(rows[index]?.message ?? '', message);
    assert.ok(!rows[index]?.message?.includes(String(row.key)));
  }
});

test('a form of a length declares keys by their length, and keys made here cannot be imported', async (t) => {
  const { store, replica } = await openGround(t);
  const other = await replica();
  const ours = await newKey(store);
  const row = { tenant: 'acme', name: 'one' };
  const rows = [
    { ...row, key: '0123456789abcdef' },
    { ...row, key: '0123456789abcde' },
  ];
  assert.deepEqual(outcomes(must(await store.importKeys(rows, { length: 16 })).rows), ['created', 'refused']);
  await until(async () => (await ask(other, '0123456789abcdef')) === 'ok', 1_000);
  const taken = must(await store.importKeys([{ ...row, key: ours.secret }], { length: ours.secret.length }));
  assert.deepEqual(outcomes(taken.rows), ['refused']);
  for (const form of [{ prefix: 'slc_' }, { prefix: 'x' }, { length: 7 }, { length: 257 }]) {
    const result = await store.importKeys([], form);
    assert.equal(result.ok ? 'ok' : result.refusal.name, 'invalid_parameter');
  }
});

test('limits and quotas come along, as the old system or as this one has them', async (t) => {
  const { store } = await openGround(t);
  const row = { tenant: 'acme', name: 'one' };
  const { rows } = must(
    await store.importKeys(
      [
        { ...row, key: 'sk-old-000001', rate_limit: '100', total_quota: '5000', used_quota: '4999' },
        {
          ...row,
          key: 'sk-new-000002',
          limits: { tokens_per_minute: 7, burst_tokens: 3 },
          quotas: [{ period: 'day', cost_usd: 0.5 }],
          total_quota: 0,
          models: { small: { max_concurrent: 1 } },
        },
      ],
      prefix,
    ),
  );
  assert.deepEqual(outcomes(rows), ['created', 'created']);
  const [old, other] = await Promise.all(rows.map(async ({ id }) => must(await store.get(id ?? '')).record));
  assert.deepEqual(old?.limits, { ...noLimits, requests_per_minute: 100 });
  const amounts = { requests: null, tokens: null, images: null, gpu_seconds: null, cost_usd: null };
  assert.deepEqual(old?.quotas, [{ ...amounts, period: 'total', requests: 5_000 }]);
  assert.deepEqual(other?.limits, { ...noLimits, tokens_per_minute: 7, burst_tokens: 3 });
  assert.deepEqual(other?.quotas, [
    { ...amounts, period: 'day', cost_usd: 0.5 },
    { ...amounts, period: 'total', requests: 0 },
  ]);
  assert.deepEqual(other?.models, { small: { ...noLimits, max_concurrent: 1 } });
});

test('what a key had used before counts against its total, once, however often it is imported', async (t) => {
  const { store, connection } = await openGround(t);
  const row = { key: 'sk-first-0001', tenant: 'acme', name: 'one', total_quota: 5, used_quota: 3 };
  const { rows } = must(
    await store.importKeys([row, { ...row, key: 'sk-fresh-0002', used_quota: 0 }], prefix),
  );
  const accountOf = async (index: number) => {
    const key = connection.keys.account('acme', `key:${rows[index]?.id}`);
    const found = await connection.ask((client) => client.hgetall(key));
    return found.ok ? { ...found.value } : undefined;
  };
  assert.deepEqual(await accountOf(0), { 5: '0 3 0 0 0 0' });
  assert.deepEqual(await accountOf(1), {});
  assert.deepEqual(outcomes(must(await store.importKeys([{ ...row, used_quota: 4 }], prefix)).rows), [
    'unchanged',
  ]);
  assert.deepEqual(await accountOf(0), { 5: '0 3 0 0 0 0' });
});
