/** What a key or a tenant may use, for people to read. */
import {
  type Allowance,
  type Limits,
  limitsOfModel,
  type ModelAccess,
  namesOfModels,
  noLimits,
  type Quota,
  quotaDimensions,
} from '../core/limits.ts';

/** `100/min (burst 20), 100k tokens/min, 8 at once` */
export function limitsText(limits: Limits): string {
  const parts = [
    rateText(limits.requests_per_minute, '/min', limits.burst_requests),
    rateText(limits.tokens_per_minute, ' tokens/min', limits.burst_tokens),
    limits.max_concurrent === null ? '' : `${short(limits.max_concurrent)} at once`,
  ];
  return parts.filter((part) => part !== '').join(', ') || 'none';
}

/** `1k requests and $5 a day, 2M tokens in all` */
export function quotasText(quotas: readonly Quota[]): string {
  return quotas.map(quotaText).join(', ') || 'none';
}

/** `small, large (10/min)` */
export function modelsText(models: ModelAccess): string {
  const named = namesOfModels(models)?.map((name) => {
    const limits = limitsText(limitsOfModel({ models }, name) ?? noLimits);
    return limits === 'none' ? name : `${name} (${limits})`;
  });
  return named?.join(', ') ?? 'all';
}

/** As fields of one thing. */
export function allowanceFields({ limits, quotas, models }: Allowance): Record<string, string> {
  return { limits: limitsText(limits), quotas: quotasText(quotas), models: modelsText(models) };
}

function rateText(rate: number | null, unit: string, burst: number | null): string {
  if (rate === null) return '';
  return `${short(rate)}${unit}${burst === null ? '' : ` (burst ${short(burst)})`}`;
}

function quotaText(quota: Quota): string {
  const amounts = quotaDimensions.flatMap((dimension) => {
    const amount = quota[dimension];
    if (amount === null) return [];
    if (dimension === 'cost_usd') return [`$${amount.toLocaleString('en', { maximumFractionDigits: 6 })}`];
    return [`${short(amount)} ${dimension.replace('gpu_seconds', 'GPU seconds')}`];
  });
  return `${amounts.join(' and ')} ${quota.period === 'total' ? 'in all' : `a ${quota.period}`}`.replace(
    'a hour',
    'an hour',
  );
}

/** Exact: thousands and millions are shortened only where nothing is lost by it. */
function short(value: number): string {
  for (const [size, letter] of [
    [1_000_000_000, 'G'],
    [1_000_000, 'M'],
    [1_000, 'k'],
  ] as const) {
    if (value >= size && (value * 10) % size === 0) return `${value / size}${letter}`;
  }
  return value.toLocaleString('en', { maximumFractionDigits: 3 });
}
