/** What the holder of a key sees of it: limits, quotas, and the last seven days. */
import {
  type Allowance,
  type Limits,
  type Quota,
  type QuotaDimension,
  type QuotaPeriod,
  quotaDimensions,
  quotaPeriods,
} from '../../core/limits.ts';
import { nanoFromUsd, usdFromNano } from '../../core/money.ts';
import { periodEndMs } from '../../core/periods.ts';
import type { Principal } from '../../core/principal.ts';
import type { Answer } from '../../redis/connection.ts';
import type { Amounts } from '../../redis/ticket-table.ts';
import type { UsageSpot, UsageSums, UsageTable } from '../../redis/usage-table.ts';
import { added, figuresOf, isNothing, nothingUsed, type UsageFigures } from './figures.ts';
import { dayAfter, dayOf, monthOf } from './spans.ts';

interface AmountUse {
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
}

/** null: not limited. */
type QuotaUse = { readonly [Dimension in QuotaDimension]: AmountUse | null } & {
  readonly period: QuotaPeriod;
  /** ISO 8601; null: never. */
  readonly resets_at: string | null;
};

interface DayFigures extends UsageFigures {
  readonly date: string;
  /** Of the calls whose end is known. */
  readonly mean_seconds: number;
  readonly by_model: readonly (UsageFigures & { readonly model: string })[];
}

/** Wire shape. The first lines are what clients of older set-ups read; times in seconds. */
export interface KeyUsage {
  readonly object: 'usage';
  readonly user_id: string;
  readonly user_name: string;
  /** Requests a minute: the tighter one of key and tenant. */
  readonly rate_limit: number | null;
  /** Requests, by the longest period that limits them: of the key, else of its tenant. null: no such quota. */
  readonly used_quota: number | null;
  readonly total_quota: number | null;
  readonly remaining_quota: number | null;
  readonly created_at: string;
  readonly expires_at: string | null;
  /** Of the last seven days. */
  readonly recent_stats: {
    readonly total_calls: number;
    readonly total_time: number;
    readonly avg_time: number;
  };
  readonly tenant: string;
  readonly limits: { readonly key: Limits; readonly tenant: Limits };
  readonly quotas: { readonly key: readonly QuotaUse[]; readonly tenant: readonly QuotaUse[] };
  /** Oldest first; the last one is today, UTC. */
  readonly last_seven_days: readonly DayFigures[];
}

const DAYS = 7;
/** More models than one key has used in a month where models are those of a configuration. */
const MODELS_MAX = 1_000;

export async function readKeyUsage(table: UsageTable, principal: Principal): Promise<Answer<KeyUsage>> {
  const { tenant, keyId, ofKey, ofTenant } = principal;
  const quotas = await table.usedQuotas(tenant, [`key:${keyId}`, 'tenant']);
  if (!quotas.ok) return quotas;
  const { nowMs, used } = quotas.value;
  const week = await readWeek(table, principal, dayOf(nowMs));
  if (!week.ok) return week;

  const key = usesOf(ofKey, used[0], nowMs);
  const ofWhole = usesOf(ofTenant, used[1], nowMs);
  const requests = longestOfRequests(key) ?? longestOfRequests(ofWhole);
  const sums = week.value.map((day) => day.sums).reduce(added, nothingUsed);
  const usage: KeyUsage = {
    object: 'usage',
    user_id: keyId,
    user_name: principal.keyName,
    rate_limit: lower(ofKey.limits.requests_per_minute, ofTenant.limits.requests_per_minute),
    used_quota: requests?.used ?? null,
    total_quota: requests?.limit ?? null,
    remaining_quota: requests?.remaining ?? null,
    created_at: principal.createdAt,
    expires_at: Number.isFinite(principal.expiresAtMs) ? new Date(principal.expiresAtMs).toISOString() : null,
    recent_stats: {
      total_calls: sums.calls,
      total_time: sums.durationMs / 1_000,
      avg_time: meanSeconds(sums),
    },
    tenant,
    limits: { key: ofKey.limits, tenant: ofTenant.limits },
    quotas: { key, tenant: ofWhole },
    last_seven_days: week.value.map((day) => day.figures),
  };
  return { ok: true, value: usage };
}

async function readWeek(table: UsageTable, { tenant, keyId }: Principal, today: string) {
  const days = Array.from({ length: DAYS }, (_, index) => dayAfter(today, index + 1 - DAYS));
  const spots: UsageSpot[] = [];
  for (const [month, ofMonth] of Map.groupBy(days, monthOf)) {
    const pairs = await table.pairs(tenant, month, { order: 'model', countMax: MODELS_MAX, keyId });
    if (!pairs.ok) return pairs;
    for (const span of ofMonth) for (const { model } of pairs.value) spots.push({ span, keyId, model });
  }
  const found = await table.sums(tenant, spots);
  if (!found.ok) return found;
  const value = days.map((date) => {
    const models = spots.flatMap(({ span, model }, index) => {
      const sums = span === date ? found.value[index] : undefined;
      return sums && !isNothing(sums) ? [{ model, sums }] : [];
    });
    return dayFigures(date, models);
  });
  return { ok: true as const, value };
}

function dayFigures(date: string, models: readonly { model: string; sums: UsageSums }[]) {
  const sums = models.map((one) => one.sums).reduce(added, nothingUsed);
  const by_model = models.map((one) => ({ model: one.model, ...figuresOf(one.sums) }));
  const figures: DayFigures = { date, ...figuresOf(sums), mean_seconds: meanSeconds(sums), by_model };
  return { sums, figures };
}

/** To the millisecond. Of a lost call nobody knows how long it took. */
function meanSeconds({ calls, lost, durationMs }: UsageSums): number {
  return calls > lost ? Math.round(durationMs / (calls - lost)) / 1_000 : 0;
}

function usesOf(
  { quotas }: Allowance,
  used: ReadonlyMap<QuotaPeriod, Amounts> | undefined,
  nowMs: number,
): QuotaUse[] {
  return quotas.map((quota) => {
    const amounts = used?.get(quota.period) ?? [0, 0, 0, 0, 0];
    const endMs = periodEndMs(quota.period, nowMs);
    const dimensions = quotaDimensions.map((dimension, index) => {
      return [dimension, useOf(quota, dimension, amounts[index] ?? 0)] as const;
    });
    return {
      period: quota.period,
      resets_at: endMs === undefined ? null : new Date(endMs).toISOString(),
      ...(Object.fromEntries(dimensions) as { readonly [Dimension in QuotaDimension]: AmountUse | null }),
    };
  });
}

/** `amount` is whole: GPU milliseconds and nano-dollars, where the quota is in seconds and dollars. */
function useOf(quota: Quota, dimension: QuotaDimension, amount: number): AmountUse | null {
  const limit = quota[dimension];
  if (limit === null) return null;
  const whole = wholeOf(dimension, limit);
  const shown = (value: number) => {
    if (dimension === 'gpu_seconds') return value / 1_000;
    return dimension === 'cost_usd' ? usdFromNano(value) : value;
  };
  return { limit, used: shown(amount), remaining: shown(Math.max(0, whole - amount)) };
}

function wholeOf(dimension: QuotaDimension, limit: number): number {
  if (dimension === 'gpu_seconds') return Math.round(limit * 1_000);
  return dimension === 'cost_usd' ? nanoFromUsd(limit) : limit;
}

function longestOfRequests(uses: readonly QuotaUse[]): AmountUse | undefined {
  const limiting = uses.filter(({ requests }) => requests !== null);
  const longest = limiting.toSorted(
    (a, b) => quotaPeriods.indexOf(b.period) - quotaPeriods.indexOf(a.period),
  )[0];
  return longest?.requests ?? undefined;
}

function lower(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}
