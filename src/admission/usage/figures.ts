/** Sums as they are shown. */
import { usdFromNano } from '../../core/money.ts';
import type { UsageSums } from '../../redis/usage-table.ts';

/** Wire shape. */
export interface UsageFigures {
  readonly calls: number;
  readonly errors: number;
  readonly lost: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cached_tokens: number;
  readonly images: number;
  readonly gpu_seconds: number;
  /** Rounded to the micro-dollar; `cost_nano_usd` is exact. */
  readonly cost_usd: number;
  readonly cost_nano_usd: number;
  readonly duration_seconds: number;
}

export const nothingUsed: UsageSums = {
  calls: 0,
  errors: 0,
  lost: 0,
  inputTokens: 0,
  outputTokens: 0,
  cachedTokens: 0,
  images: 0,
  gpuMs: 0,
  costNano: 0,
  durationMs: 0,
};

export function added(one: UsageSums, other: UsageSums): UsageSums {
  return {
    calls: one.calls + other.calls,
    errors: one.errors + other.errors,
    lost: one.lost + other.lost,
    inputTokens: one.inputTokens + other.inputTokens,
    outputTokens: one.outputTokens + other.outputTokens,
    cachedTokens: one.cachedTokens + other.cachedTokens,
    images: one.images + other.images,
    gpuMs: one.gpuMs + other.gpuMs,
    costNano: one.costNano + other.costNano,
    durationMs: one.durationMs + other.durationMs,
  };
}

/** A call that was booked as lost and settled after all leaves zeros behind. */
export function isNothing(sums: UsageSums): boolean {
  return Object.values(sums).every((amount) => amount === 0);
}

export function figuresOf(sums: UsageSums): UsageFigures {
  return {
    calls: sums.calls,
    errors: sums.errors,
    lost: sums.lost,
    input_tokens: sums.inputTokens,
    output_tokens: sums.outputTokens,
    cached_tokens: sums.cachedTokens,
    images: sums.images,
    gpu_seconds: sums.gpuMs / 1_000,
    cost_usd: usdFromNano(sums.costNano),
    cost_nano_usd: sums.costNano,
    duration_seconds: sums.durationMs / 1_000,
  };
}
