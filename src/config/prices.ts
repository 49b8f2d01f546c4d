/**
 * Prices as people write them, in dollars, and as the code counts with them, in nano-dollars. What is not priced
 * costs nothing. The messages follow the rule of schema.ts.
 */
import { z } from 'zod';
import { NANO_PER_USD, nanoFromUsd, noPrices, type Prices } from '../core/money.ts';
import { dispatched } from './dispatched.ts';

/** Small enough that the cost of any call is counted exactly. */
const USD_MAX = 10_000;
const GPU_SECONDS_PER_HOUR = 3_600;
const NANO_PER_USD_PER_MILLION = NANO_PER_USD / 1_000_000;

/** @param steps nano-dollars of a unit in a dollar */
function price(steps: number, finest: string) {
  const bounds = `must be a number from 0 to ${USD_MAX}`;
  return z
    .number(bounds)
    .min(0, bounds)
    .max(USD_MAX, bounds)
    .refine((usd) => Math.round(usd * steps) / steps === usd, {
      error: `must not be finer than a nano-dollar for each ${finest}; round it to a multiple of ${decimal(1 / steps)}`,
    });
}

function decimal(value: number): string {
  return value.toFixed(9).replace(/0+$/, '');
}

const perMillion = price(NANO_PER_USD_PER_MILLION, 'token');
const each = price(NANO_PER_USD, 'unit');
const gpuHour = each.optional().describe('For an hour of one GPU; counted by the second.');

const tier = z.strictObject(
  {
    pixels_max: z
      .int('must be a whole number of pixels; write it as 1048576')
      .min(1, 'must be at least 1; leave it out of the last entry')
      .optional(),
    usd: each,
  },
  {
    error: ({ code }) =>
      code === 'invalid_type'
        ? 'must be a mapping; write it as {pixels_max: 1048576, usd: 0.002}'
        : undefined,
  },
);

const tiers = z
  .array(tier)
  .min(1, 'must hold at least one entry; write it as [{pixels_max: 1048576, usd: 0.002}, {usd: 0.004}]')
  .superRefine((entries, context) => {
    for (const [index, { pixels_max }] of entries.entries()) {
      const before = entries[index - 1]?.pixels_max ?? 0;
      if (pixels_max === undefined ? index === entries.length - 1 : pixels_max > before) continue;
      const path = [index, 'pixels_max'];
      const message =
        'must stand in each entry but the last, and grow from one to the next; sort the entries';
      context.addIssue({ code: 'custom', path, message });
    }
  });

export const modelPrices = z
  .strictObject({
    input_per_million_usd: perMillion.optional().describe('For a million tokens of prompt.'),
    cached_input_per_million_usd: perMillion
      .optional()
      .describe('For those that the server had in its prefix cache; default: input_per_million_usd.'),
    output_per_million_usd: perMillion.optional().describe('For a million tokens of answer.'),
    image_usd: dispatched([each, tiers], (value) => (Array.isArray(value) ? tiers : each))
      .optional()
      .describe(
        'For an image, or a list by size; an image larger than the last entry costs as much as that.',
      ),
    gpu_hour_usd: gpuHour,
  })
  .describe('What its use is booked with.');

export const routePrices = z
  .strictObject({
    request_usd: each.optional().describe('For each call.'),
    gpu_hour_usd: gpuHour,
  })
  .describe('What its calls are booked with.');

type GivenPrices = z.output<typeof modelPrices> & z.output<typeof routePrices>;

/** Of a model or a route; undefined: free of charge. */
export function pricesOf(given: GivenPrices = {}): Prices {
  const { input_per_million_usd: input = 0, cached_input_per_million_usd: cached = input } = given;
  return {
    request: nanoFromUsd(given.request_usd ?? 0),
    inputToken: nanoPerToken(input),
    cachedToken: nanoPerToken(cached),
    outputToken: nanoPerToken(given.output_per_million_usd ?? 0),
    imageTiers: imageTiers(given.image_usd),
    gpuSecond: nanoFromUsd((given.gpu_hour_usd ?? 0) / GPU_SECONDS_PER_HOUR),
  };
}

function nanoPerToken(usdPerMillion: number): number {
  return Math.round(usdPerMillion * NANO_PER_USD_PER_MILLION);
}

function imageTiers(given: GivenPrices['image_usd'] = []): Prices['imageTiers'] {
  const entries = typeof given === 'number' ? [{ usd: given }] : given;
  return entries.map(({ usd, pixels_max }, index) => ({
    pixelsMax: index === entries.length - 1 ? Number.POSITIVE_INFINITY : (pixels_max ?? 0),
    each: nanoFromUsd(usd),
  }));
}

/** By pattern of the route; what has no price is free of charge. */
export function routePriceList({
  routes,
}: {
  readonly routes: readonly { readonly path: string; readonly prices?: GivenPrices | undefined }[];
}): (path: string) => Prices {
  const list = new Map(routes.map(({ path, prices }) => [path, pricesOf(prices)]));
  return (path) => list.get(path) ?? noPrices;
}
