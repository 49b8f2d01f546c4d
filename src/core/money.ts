/**
 * Money is counted in whole nano-dollars (10⁻⁹ USD), so that sums never drift: $0.05 per million tokens is 50
 * nano-dollars a token. A sum stays exact up to 2⁵³ of them, some nine million dollars.
 */

export const NANO_PER_USD = 1_000_000_000;

/** @param usd at most nine decimals count */
export function nanoFromUsd(usd: number): number {
  return Math.round(usd * NANO_PER_USD);
}

/** Rounded to the micro-dollar, as it is shown. */
export function usdFromNano(nano: number): number {
  return Math.round(nano / 1_000) / 1_000_000;
}

/** All in nano-dollars. */
export interface Prices {
  readonly request: number;
  readonly inputToken: number;
  /** Of the input, what came from the server's prefix cache. */
  readonly cachedToken: number;
  readonly outputToken: number;
  /** By resolution: the first tier whose `pixelsMax` is not exceeded; the last one has Infinity. */
  readonly imageTiers: readonly { readonly pixelsMax: number; readonly each: number }[];
  readonly gpuSecond: number;
}

export const noPrices: Prices = {
  request: 0,
  inputToken: 0,
  cachedToken: 0,
  outputToken: 0,
  imageTiers: [],
  gpuSecond: 0,
};

/** What is paid for. Whole numbers, none negative. */
export interface Billable {
  readonly requests: number;
  readonly inputTokens: number;
  /** Part of `inputTokens`. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** Size of each image; Infinity where nobody knows it, which costs as much as the largest. */
  readonly imagePixels: readonly number[];
  readonly gpuMs: number;
}

/**
 * In nano-dollars; exact, except that a part of a second on a GPU is rounded to the nearest of them. Exact as long
 * as the sum is: up to 2⁵³.
 */
export function costOf(prices: Prices, used: Billable): number {
  const cached = Math.min(used.cachedTokens, used.inputTokens);
  return (
    used.requests * prices.request +
    (used.inputTokens - cached) * prices.inputToken +
    cached * prices.cachedToken +
    used.outputTokens * prices.outputToken +
    used.imagePixels.reduce((sum, pixels) => sum + imagePrice(prices, pixels), 0) +
    gpuPrice(prices, used.gpuMs)
  );
}

function imagePrice({ imageTiers }: Prices, pixels: number): number {
  return (imageTiers.find(({ pixelsMax }) => pixels <= pixelsMax) ?? imageTiers.at(-1))?.each ?? 0;
}

/** Whole seconds apart, so that no product leaves the numbers that are exact. */
function gpuPrice({ gpuSecond }: Prices, gpuMs: number): number {
  const partMs = gpuMs % 1_000;
  return ((gpuMs - partMs) / 1_000) * gpuSecond + Math.round((partMs * gpuSecond) / 1_000);
}
