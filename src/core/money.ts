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
  readonly inputToken: number;
  /** Of the input, what came from the server's prefix cache. */
  readonly cachedToken: number;
  readonly outputToken: number;
  /** By resolution: the first tier whose `pixelsMax` is not exceeded; the last one has Infinity. */
  readonly imageTiers: readonly { readonly pixelsMax: number; readonly each: number }[];
  readonly gpuSecond: number;
}

export const noPrices: Prices = {
  inputToken: 0,
  cachedToken: 0,
  outputToken: 0,
  imageTiers: [],
  gpuSecond: 0,
};
