/** Whatever a report is grouped by, and however it is cut into pages, its rows add up to the calls that were made. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ReportRow, readReport } from '../../../src/admission/usage/report.ts';
import { planReport, type ReportQuery } from '../../../src/admission/usage/report-plan.ts';
import { usageTable } from '../../../src/redis/usage-table.ts';
import { type Books, DAY_MS, dayOf, expectedRows, noonAgo, openBooks } from './ground.ts';

const CALLS = 600;
const DAYS = 35;

let books: Books;

before(async () => {
  books = await openBooks();
  const random = randomFrom(7);
  const times = Array.from(
    { length: CALLS },
    () => noonAgo(DAYS - 1) + Math.floor(random() * (DAYS - 1) * DAY_MS),
  );
  let lastMs = 0;
  for (const drawnMs of times.sort((a, b) => a - b)) {
    // A lost call moves the clock on by the length of its lease.
    lastMs = Math.max(drawnMs, lastMs + 12_000);
    const dice = random();
    await books.play(lastMs, {
      key: `key_${Math.floor(random() * 4)}`,
      model: ['plain', 'org/model:7b', 'a*b'][Math.floor(random() * 3)] ?? '',
      input: Math.floor(random() * 5_000),
      output: Math.floor(random() * 500),
      cached: Math.floor(random() * 100),
      images: Math.floor(random() * 3),
      gpuMs: Math.floor(random() * 9_000),
      costNano: Math.floor(random() * 1e9),
      durationMs: Math.floor(random() * 9_000),
      status: dice < 0.1 ? 502 : 200,
      end: dice > 0.95 ? 'lost' : dice > 0.9 ? 'void' : 'settled',
    });
  }
  // Only the last month knows this pair, which comes before all others.
  await books.play(lastMs + 6_000, { key: 'key_0', model: '!', input: 1 });
  // Another tenant's calls are in nobody else's books.
  await books.play(lastMs + 12_000, { tenant: 'other', key: 'key_0', model: 'plain', input: 1 });
});

after(() => books.stop());

const from = dayOf(noonAgo(DAYS - 1));
const to = dayOf(noonAgo(0));

for (const group_by of [
  ['day'],
  ['key'],
  ['model'],
  ['day', 'key', 'model'],
  ['day', 'model'],
  ['key', 'model'],
] as const) {
  test(`by ${group_by}, on pages of any size`, async () => {
    const expected = expectedRows(ofAcme(), ({ day, key, model }) => ({
      ...((group_by as readonly string[]).includes('day') && { date: day }),
      ...((group_by as readonly string[]).includes('key') && { key }),
      ...((group_by as readonly string[]).includes('model') && { model }),
    }));
    const query: ReportQuery = { tenant: 'acme', from, to, group_by };
    const whole = await pagesOf(query);
    assert.equal(whole.length, 1);
    assert.deepEqual(sorted(whole.flat()), expected);
    for (const spotsMax of [9, 35, 37, 100]) {
      const pages = await pagesOf(query, spotsMax);
      assert.deepEqual(merged(pages.flat()), expected, `pages of ${spotsMax}`);
      if (group_by.length > 1 && spotsMax === 9) assert.ok(pages.length > 1);
    }
  });
}

test('by month, from the sums of months, and of the whole tenant from those of days', async () => {
  const months = { tenant: 'acme', from: from.slice(0, 7), to: to.slice(0, 7) };
  const byMonth = await pagesOf({ ...months, group_by: ['month'] });
  assert.deepEqual(
    byMonth.flat(),
    expectedRows(ofAcme(), ({ day }) => ({ month: day.slice(0, 7) })),
  );
  const byModel = await pagesOf({ ...months, group_by: ['month', 'model'] }, 20);
  assert.deepEqual(
    merged(byModel.flat()),
    expectedRows(ofAcme(), ({ day, model }) => ({ month: day.slice(0, 7), model })),
  );
});

test('of one key or model alone; what looks like a pattern is none', async () => {
  const query = { tenant: 'acme', from, to, group_by: ['day'] } as const;
  for (const filter of [
    { key: 'key_1' },
    { model: 'org/model:7b' },
    { model: 'a*b' },
    { key: 'key_2', model: 'plain' },
  ]) {
    const entries = ofAcme().filter((entry) =>
      Object.entries(filter).every(([name, value]) => Reflect.get(entry, name) === value),
    );
    const rows = (await pagesOf({ ...query, ...filter }, 40)).flat();
    assert.deepEqual(
      merged(rows),
      expectedRows(entries, ({ day }) => ({ date: day })),
      JSON.stringify(filter),
    );
  }
  for (const nobody of [{ key: 'key_9' }, { model: '*' }, { model: 'a?b' }, { model: '[a-z]*' }]) {
    assert.deepEqual((await pagesOf({ ...query, ...nobody })).flat(), []);
  }
});

test('totals are those of the page', async () => {
  const result = await books.usage.report({ tenant: 'acme', from, to, group_by: ['key', 'model'] });
  assert.ok(result.ok);
  const [expected] = expectedRows(ofAcme(), () => ({}));
  assert.deepEqual(result.value.totals, expected);
});

test('an index that a scan brings in many pieces is read in order, each pair once', async () => {
  const members = Array.from({ length: 30_000 }, (_, index) => `key_${index % 7_919} model-${index % 5_003}`);
  const distinct = [...new Set(members)].sort();
  await books.client.sadd(books.connection.keys.usageIndex('large', '2026-01'), ...members);
  const table = usageTable(books.connection);
  const seen: string[] = [];
  for (let after: string | undefined; ; after = seen.at(-1)) {
    const found = await table.pairs('large', '2026-01', { order: 'key', after, countMax: 9_000 });
    assert.ok(found.ok);
    if (found.value.length === 0) break;
    seen.push(...found.value.map(({ place }) => place));
  }
  assert.deepEqual(seen, distinct);
});

function ofAcme() {
  return books.ledger.filter(({ tenant }) => tenant === 'acme');
}

async function pagesOf(query: ReportQuery, spotsMax?: number): Promise<ReportRow[][]> {
  const planned = planReport(query, Date.now());
  assert.ok(planned.ok);
  const pages: ReportRow[][] = [];
  let cursor: string | undefined;
  do {
    const page = await readReport(usageTable(books.connection), planned.plan, cursor, spotsMax);
    assert.ok(page.ok);
    pages.push([...page.value.rows]);
    cursor = page.value.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return pages;
}

/** Rows of a group that lay on several pages are added up. */
function merged(rows: readonly ReportRow[]) {
  const entries = rows.map((row) => {
    const ten = [
      row.calls,
      row.errors,
      row.lost,
      row.input_tokens,
      row.output_tokens,
      row.cached_tokens,
      row.images,
    ];
    ten.push(
      Math.round(row.gpu_seconds * 1_000),
      row.cost_nano_usd,
      Math.round(row.duration_seconds * 1_000),
    );
    return { day: '', tenant: '', key: '', model: JSON.stringify(namesIn(row)), ten };
  });
  return expectedRows(entries, ({ model }) => JSON.parse(model));
}

function sorted(rows: readonly ReportRow[]) {
  return rows.toSorted((a, b) => (JSON.stringify(namesIn(a)) < JSON.stringify(namesIn(b)) ? -1 : 1));
}

function namesIn({ date, month, key, model }: ReportRow): Record<string, string> {
  return {
    ...(date !== undefined && { date }),
    ...(month !== undefined && { month }),
    ...(key !== undefined && { key }),
    ...(model !== undefined && { model }),
  };
}

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
