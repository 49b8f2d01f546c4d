/** The usage of a tenant as the admin API tells it. */
import { usdFromNano } from '../core/money.ts';
import type { AdminClient } from './admin-client.ts';

export interface Figures {
  readonly calls: number;
  readonly errors: number;
  readonly lost: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cached_tokens: number;
  readonly images: number;
  readonly gpu_seconds: number;
  readonly cost_usd: number;
  readonly cost_nano_usd: number;
  readonly duration_seconds: number;
}

export interface UsageRow extends Figures {
  readonly date?: string;
  readonly month?: string;
  readonly key?: string;
  readonly model?: string;
}

export interface UsageRange {
  readonly tenant: string;
  readonly from: string;
  readonly to: string;
}

export const figureNames: readonly (keyof Figures)[] = [
  ...(['calls', 'errors', 'lost', 'input_tokens', 'output_tokens', 'cached_tokens', 'images'] as const),
  ...(['gpu_seconds', 'cost_usd', 'cost_nano_usd', 'duration_seconds'] as const),
];

export const nothing: Figures = {
  calls: 0,
  errors: 0,
  lost: 0,
  input_tokens: 0,
  output_tokens: 0,
  cached_tokens: 0,
  images: 0,
  gpu_seconds: 0,
  cost_usd: 0,
  cost_nano_usd: 0,
  duration_seconds: 0,
};

/** A group that lies across the edge of two pages has a row on each. */
export async function* usagePages(
  admin: AdminClient,
  range: UsageRange,
  groupBy: string,
): AsyncGenerator<readonly UsageRow[], void> {
  const parameters = new URLSearchParams({ ...range, group_by: groupBy });
  for (;;) {
    const page = await admin.call<{ data: UsageRow[]; next_cursor: string | null }>(
      'GET',
      `/usage?${parameters}`,
    );
    yield page.data;
    if (page.next_cursor === null) return;
    parameters.set('cursor', page.next_cursor);
  }
}

/** What else stands in `one` stays. Seconds have three decimals, and money is exact in nano-dollars alone. */
export function added<Row extends Figures>(one: Row, other: Figures): Row {
  const cost_nano_usd = one.cost_nano_usd + other.cost_nano_usd;
  return {
    ...one,
    calls: one.calls + other.calls,
    errors: one.errors + other.errors,
    lost: one.lost + other.lost,
    input_tokens: one.input_tokens + other.input_tokens,
    output_tokens: one.output_tokens + other.output_tokens,
    cached_tokens: one.cached_tokens + other.cached_tokens,
    images: one.images + other.images,
    gpu_seconds: seconds(one.gpu_seconds + other.gpu_seconds),
    cost_usd: usdFromNano(cost_nano_usd),
    cost_nano_usd,
    duration_seconds: seconds(one.duration_seconds + other.duration_seconds),
  };
}

function seconds(sum: number): number {
  return Math.round(sum * 1_000) / 1_000;
}
