/** Lists of keys that are narrowed down: page by page, each key once, none too many. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeyFilter, KeyStore } from '../../src/admission/keys/key-store.ts';
import type { KeyStatus } from '../../src/core/principal.ts';
import { keyUseTable } from '../../src/redis/key-use-table.ts';
import { must, openGround } from './ground.ts';

const BEGIN_MS = Date.UTC(2024, 0, 1);
const DAY_MS = 86_400_000;
const KEYS = 2_500;
const day = (count: number) => new Date(BEGIN_MS + count * DAY_MS).toISOString();

async function names(store: KeyStore, filter: KeyFilter, limit: number) {
  const found: string[] = [];
  let pages = 0;
  for (let cursor: string | undefined; ; ) {
    const page = must(await store.list({ ...filter, limit, cursor }));
    assert.ok(page.records.length <= limit);
    pages += 1;
    found.push(...page.records.map(({ name }) => name));
    if (page.next_cursor === null) return { found, pages };
    cursor = page.next_cursor;
  }
}

test('each filter leaves the keys that it should, and so do all together, on pages of any size', async (t) => {
  const { store, connection } = await openGround(t);
  // One a day, every tenth with a tag, every seventh disabled, of two tenants.
  const rows = Array.from({ length: KEYS }, (_, index) => ({
    key: `sk-${String(index).padStart(12, '0')}`,
    tenant: index % 2 === 0 ? 'even' : 'odd',
    name: `${index}`,
    created_at: day(index),
    is_active: index % 7 !== 0,
    tags: index % 10 === 0 ? ['tenth', 'x'] : ['x'],
  }));
  const { rows: imported } = must(await store.importKeys(rows, { prefix: 'sk-' }));
  assert.ok(imported.every(({ outcome }) => outcome === 'created'));
  // Every third was used on the day before the last one.
  const uses = imported
    .map(({ id }, index) => ({
      tenant: index % 2 === 0 ? 'even' : 'odd',
      id: id ?? '',
      atMs: BEGIN_MS + (KEYS - 1) * DAY_MS,
    }))
    .filter((_, index) => index % 3 === 0);
  await keyUseTable(connection).note(uses);

  const all = Array.from({ length: KEYS }, (_, index) => index);
  const cases: readonly [KeyFilter, (index: number) => boolean][] = [
    [{ tag: 'tenth' }, (index) => index % 10 === 0],
    [{ tag: 'tent' }, () => false],
    [{ status: 'disabled' }, (index) => index % 7 === 0],
    [{ status: 'revoked' as KeyStatus }, () => false],
    [{ created_before: day(1_234) }, (index) => index < 1_234],
    [{ unused_since: day(2_000) }, (index) => index < 2_000 && index % 3 !== 0],
    [{ unused_since: day(KEYS) }, (index) => index < KEYS],
    [
      { tenant: 'odd', tag: 'x', status: 'active', created_before: day(2_400), unused_since: day(2_300) },
      (index) => index % 2 === 1 && index % 7 !== 0 && index < 2_300 && index % 3 !== 0,
    ],
  ];
  for (const [filter, fits] of cases) {
    const expected = all.filter(fits).map(String);
    for (const limit of [97, 1_000]) {
      const { found } = await names(store, filter, limit);
      assert.deepEqual(found, expected, `${JSON.stringify(filter)} by ${limit}`);
    }
  }
  const rare = await names(store, { tag: 'tenth', status: 'disabled' }, 1_000);
  assert.deepEqual(rare, { found: all.filter((index) => index % 70 === 0).map(String), pages: 1 });
});

test('a date that is none is refused', async (t) => {
  const { store } = await openGround(t);
  for (const filter of [{ created_before: 'soon' }, { unused_since: '2024-13-01' }]) {
    const result = await store.list({ ...filter, limit: 10 });
    assert.ok(!result.ok && result.refusal.param === Object.keys(filter)[0]);
  }
});
