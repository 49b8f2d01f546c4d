/** What the holder of a key sees is what the tickets have taken: of quotas in this period, of calls in seven days. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { noAllowance, noLimits, type Quota, type QuotaPeriod } from '../../../src/core/limits.ts';
import { noPolicies, type Principal, usualJobTerms } from '../../../src/core/principal.ts';
import type { ScopeQuota } from '../../../src/redis/ticket-table.ts';
import { type Books, DAY_MS, dayOf, expectedRows, noonAgo, openBooks } from './ground.ts';

let books: Books;

before(async () => {
  books = await openBooks();
});
after(() => books.stop());

const principal: Principal = {
  keyId: 'key_1',
  keyName: 'web',
  tenant: 'acme',
  expiresAtMs: Number.POSITIVE_INFINITY,
  ofKey: noAllowance,
  ofTenant: noAllowance,
  version: 0,
  answerMetadata: false,
  showAttempts: false,
  policies: noPolicies,
  priority: 0,
  jobs: usualJobTerms,
  oversizeRule: null,
  access: undefined,
  use: undefined,
  createdAt: '2026-01-01T00:00:00.000Z',
};

async function ofKey(changes: Partial<Principal> = {}) {
  const result = await books.usage.ofKey({ ...principal, ...changes });
  assert.ok(result.ok);
  return result.value;
}

function quota(period: QuotaPeriod, amounts: Partial<Quota>): Quota {
  return {
    requests: null,
    tokens: null,
    images: null,
    gpu_seconds: null,
    cost_usd: null,
    ...amounts,
    period,
  };
}

const scopeQuotas: readonly ScopeQuota[] = [1, 2, 3, 4, 5].map((period) => ({
  period,
  max: Array(5).fill(undefined),
}));

test('the last seven days are those of the key alone, day by day and model by model', async () => {
  for (let days = 8; days >= 0; days -= 1) {
    await books.play(noonAgo(days), {
      key: 'key_1',
      model: 'plain',
      input: 10 + days,
      durationMs: 1_500,
      costNano: 123_456_789,
    });
    await books.play(noonAgo(days) + 1_000, { key: 'key_2', model: 'plain', input: 999 });
    if (days % 2 === 0) continue;
    await books.play(noonAgo(days) + 2_000, {
      key: 'key_1',
      model: 'a/b',
      gpuMs: 1_234,
      durationMs: 500,
      status: 500,
    });
    await books.play(noonAgo(days) + 3_000, { key: 'key_1', model: 'a/b', output: 5, end: 'lost' });
  }
  const usage = await ofKey();
  const recent = books.ledger.filter(({ key, day }) => key === 'key_1' && day >= dayOf(noonAgo(6)));
  const days = usage.last_seven_days.map(({ mean_seconds: _mean, by_model: _models, ...figures }) => figures);
  assert.deepEqual(
    days,
    expectedRows(recent, ({ day }) => ({ date: day })),
  );
  const models = usage.last_seven_days.flatMap(({ date, by_model }) =>
    by_model.map(({ model, ...figures }) => ({ date, model, ...figures })),
  );
  assert.deepEqual(
    models,
    expectedRows(recent, ({ day, model }) => ({ date: day, model })),
  );

  // Seven calls of 1.5 s, three of 0.5 s, and three that were lost, of which no time is known.
  assert.deepEqual(usage.recent_stats, { total_calls: 13, total_time: 12, avg_time: 1.2 });
  assert.equal(usage.last_seven_days.at(-1)?.mean_seconds, 1.5);
  assert.equal(usage.last_seven_days.at(-2)?.mean_seconds, 1);
});

test('a key that has never called sees seven empty days', async () => {
  const usage = await ofKey({ tenant: 'new', expiresAtMs: Date.parse('2030-01-01') });
  assert.deepEqual(
    usage.last_seven_days.map(({ date, calls, mean_seconds, by_model }) => [
      date,
      calls,
      mean_seconds,
      by_model,
    ]),
    Array.from({ length: 7 }, (_, index) => [dayOf(Date.now() - (6 - index) * DAY_MS), 0, 0, []]),
  );
  assert.deepEqual(usage.recent_stats, { total_calls: 0, total_time: 0, avg_time: 0 });
  assert.deepEqual([usage.user_id, usage.user_name, usage.tenant], ['key_1', 'web', 'new']);
  assert.deepEqual(
    [usage.created_at, usage.expires_at],
    ['2026-01-01T00:00:00.000Z', '2030-01-01T00:00:00.000Z'],
  );
  assert.deepEqual(
    [usage.rate_limit, usage.used_quota, usage.total_quota, usage.remaining_quota],
    [null, null, null, null],
  );
});

test('quotas say what is used in this period, of key and tenant apart; one that is overdrawn leaves 0', async () => {
  const quotas = { key: scopeQuotas, tenant: scopeQuotas };
  const spent = { model: 'plain', input: 30, output: 12, images: 2, gpuMs: 1_500, costNano: 250_000_001 };
  await books.play(noonAgo(40), { tenant: 'quotas', key: 'key_1', ...spent, quotas });
  await books.play(Date.now(), { tenant: 'quotas', key: 'key_1', ...spent, quotas });
  await books.play(Date.now(), { tenant: 'quotas', key: 'key_2', ...spent, quotas });
  const allowance = {
    ...noAllowance,
    limits: { ...noLimits, requests_per_minute: 60 },
    quotas: [
      quota('day', { requests: 10, tokens: 50, gpu_seconds: 1.25, cost_usd: 1 }),
      quota('total', { requests: 100, images: 7 }),
      quota('month', { requests: 50 }),
    ],
  };
  const usage = await ofKey({
    tenant: 'quotas',
    ofKey: allowance,
    ofTenant: { ...allowance, limits: { ...noLimits, requests_per_minute: 20 } },
  });
  const tomorrow = new Date((Math.floor(Date.now() / DAY_MS) + 1) * DAY_MS).toISOString();
  const nextMonth = new Date(
    Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() + 1),
  ).toISOString();
  assert.deepEqual(usage.quotas.key, [
    {
      period: 'day',
      resets_at: tomorrow,
      requests: { limit: 10, used: 1, remaining: 9 },
      tokens: { limit: 50, used: 42, remaining: 8 },
      images: null,
      gpu_seconds: { limit: 1.25, used: 1.5, remaining: 0 },
      cost_usd: { limit: 1, used: 0.25, remaining: 0.75 },
    },
    {
      period: 'total',
      resets_at: null,
      requests: { limit: 100, used: 2, remaining: 98 },
      tokens: null,
      images: { limit: 7, used: 4, remaining: 3 },
      gpu_seconds: null,
      cost_usd: null,
    },
    {
      period: 'month',
      resets_at: nextMonth,
      requests: { limit: 50, used: 1, remaining: 49 },
      tokens: null,
      images: null,
      gpu_seconds: null,
      cost_usd: null,
    },
  ]);
  assert.deepEqual(usage.quotas.tenant[0]?.requests, { limit: 10, used: 2, remaining: 8 });
  assert.deepEqual(usage.quotas.tenant[1]?.requests, { limit: 100, used: 3, remaining: 97 });
  assert.deepEqual([usage.used_quota, usage.total_quota, usage.remaining_quota], [2, 100, 98]);
  assert.equal(usage.rate_limit, 20);
});

test('what was used in a period that has passed counts as nothing', async () => {
  const all = (['minute', 'hour', 'day', 'month', 'total'] as const).map((period) =>
    quota(period, { requests: 5 }),
  );
  await books.play(noonAgo(40), {
    tenant: 'past',
    key: 'key_1',
    model: 'plain',
    quotas: { key: scopeQuotas },
  });
  const usage = await ofKey({ tenant: 'past', ofKey: { ...noAllowance, quotas: all } });
  assert.deepEqual(
    usage.quotas.key.map(({ period, requests }) => [period, requests?.used, requests?.remaining]),
    [
      ['minute', 0, 5],
      ['hour', 0, 5],
      ['day', 0, 5],
      ['month', 0, 5],
      ['total', 1, 4],
    ],
  );
});

test('a holder who asks a hundred times at once costs Redis one reading', async () => {
  const commands = async () => {
    const stats = await books.client.info('commandstats');
    return Number(/cmdstat_sscan:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };
  const single = { ...principal, tenant: 'crowd' };
  const beforehand = await commands();
  await books.usage.ofKey(single);
  const ofOne = (await commands()) - beforehand;
  await Promise.all(Array.from({ length: 100 }, () => books.usage.ofKey(single)));
  assert.equal((await commands()) - beforehand, 2 * ofOne);
});
