import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pricesOf, routePriceList } from '../../src/config/prices.ts';
import { configSchema } from '../../src/config/schema.ts';
import { type Billable, costOf, nanoFromUsd, noPrices, usdFromNano } from '../../src/core/money.ts';

const nothing: Billable = {
  requests: 0,
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  imagePixels: [],
  gpuMs: 0,
};

test('what has no price costs nothing', () => {
  const much = {
    ...nothing,
    requests: 1,
    inputTokens: 1e6,
    outputTokens: 1e6,
    imagePixels: [1e6],
    gpuMs: 1e6,
  };
  assert.equal(costOf(noPrices, much), 0);
  assert.deepEqual(pricesOf(), noPrices);
});

test('five cents for a million tokens are 50 nano-dollars a token, and every price that is allowed is exact', () => {
  assert.equal(pricesOf({ input_per_million_usd: 0.05 }).inputToken, 50);
  for (let steps = 1; steps < 5_000; steps += 1) {
    // As people write it, not as floating-point sums would have it.
    const usd = Number(`${Math.floor(steps / 1_000)}.${String(steps % 1_000).padStart(3, '0')}`);
    assert.equal(pricesOf({ output_per_million_usd: usd }).outputToken, steps);
  }
});

test('tokens of prompt, cache and answer cost what each of them costs, in whole nano-dollars', () => {
  const prices = pricesOf({
    input_per_million_usd: 0.07,
    cached_input_per_million_usd: 0.01,
    output_per_million_usd: 0.4,
  });
  const used = { ...nothing, requests: 1, inputTokens: 1_000, cachedTokens: 900, outputTokens: 7 };
  assert.equal(costOf(prices, used), 100 * 70 + 900 * 10 + 7 * 400);
  // A server that reports more cached tokens than tokens gives no refund.
  assert.equal(costOf(prices, { ...used, cachedTokens: 5_000, outputTokens: 0 }), 1_000 * 10);
});

test('cached tokens without a price of their own cost what others cost', () => {
  const prices = pricesOf({ input_per_million_usd: 0.07 });
  assert.equal(costOf(prices, { ...nothing, inputTokens: 10, cachedTokens: 10 }), 700);
  assert.equal(pricesOf({ input_per_million_usd: 1, cached_input_per_million_usd: 0 }).cachedToken, 0);
});

test('an image costs the price of the first size that it does not exceed, and beyond the last what that costs', () => {
  const prices = pricesOf({
    image_usd: [
      { pixels_max: 100, usd: 0.000000001 },
      { pixels_max: 200, usd: 0.00000001 },
      { usd: 0.0000001 },
    ],
  });
  const cost = (...imagePixels: number[]) => costOf(prices, { ...nothing, imagePixels });
  assert.deepEqual([cost(100), cost(101), cost(200), cost(201), cost(Infinity)], [1, 10, 10, 100, 100]);
  assert.equal(cost(1, 150, 1e9), 111);
  const closed = pricesOf({ image_usd: [{ pixels_max: 100, usd: 0.000000003 }] });
  assert.equal(costOf(closed, { ...nothing, imagePixels: [101] }), 3);
  assert.equal(costOf(pricesOf({ image_usd: 0.002 }), { ...nothing, imagePixels: [1, 1e12] }), 4_000_000);
});

test('GPU time is counted by the second of an hour, its parts rounded to the nearest nano-dollar', () => {
  const prices = pricesOf({ gpu_hour_usd: 1 });
  assert.equal(prices.gpuSecond, 277_778);
  assert.equal(costOf(prices, { ...nothing, gpuMs: 3_600_000 }), 3_600 * 277_778);
  assert.equal(costOf(prices, { ...nothing, gpuMs: 1 }), 278);
  assert.equal(costOf(prices, { ...nothing, gpuMs: 1_500 }), 277_778 + 138_889);
});

test('the dearest call that can be configured is counted exactly', () => {
  const prices = pricesOf({ output_per_million_usd: 10_000, gpu_hour_usd: 10_000, request_usd: 10_000 });
  const used = { ...nothing, requests: 1, outputTokens: 123_456_789, gpuMs: 86_400_001 };
  const exact = 10_000n * 1_000_000_000n + 123_456_789n * 10_000_000n + 86_400n * 2_777_777_778n + 2_777_778n;
  assert.equal(BigInt(costOf(prices, used)), exact);
  assert.ok(costOf(prices, used) < Number.MAX_SAFE_INTEGER);
});

test('routes are priced by path, and what has no entry is free', () => {
  const priceOf = routePriceList(
    configSchema.parse({
      secret: 'a secret of at least 32 characters',
      upstreams: [{ name: 'a', url: 'http://a' }],
      routes: [
        { path: '/predict', upstream: 'a', prices: { request_usd: 0.0001, gpu_hour_usd: 3.6 } },
        { path: '/free', upstream: 'a' },
      ],
    }),
  );
  const used = { ...nothing, requests: 1, gpuMs: 2_000 };
  assert.equal(costOf(priceOf('/predict'), used), 100_000 + 2_000_000);
  assert.deepEqual([priceOf('/free'), priceOf('constructor')], [noPrices, noPrices]);
});

test('dollars and nano-dollars turn into one another', () => {
  assert.equal(nanoFromUsd(0.1 + 0.2), 300_000_000);
  assert.equal(usdFromNano(1_234_567), 0.001235);
});
