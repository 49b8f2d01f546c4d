import { usdFromNano } from '../core/money.ts';
import type { BucketStanding, Standing } from '../core/standing.ts';

/** All that `pushLimitHeaders` may add, for pages that want to read them. */
export const limitHeaderNames: readonly string[] = [
  ...['requests', 'tokens'].flatMap((name) => [
    `x-ratelimit-limit-${name}`,
    `x-ratelimit-remaining-${name}`,
    `x-ratelimit-reset-${name}`,
  ]),
  ...['requests', 'tokens', 'images', 'cost-usd'].flatMap((name) => [
    `x-quota-limit-${name}`,
    `x-quota-remaining-${name}`,
  ]),
  'ratelimit-policy',
  'ratelimit',
];

/**
 * Adds what a caller may know of its limits: OpenAI's `x-ratelimit-*`, the IETF's `RateLimit` pair
 * (draft-ietf-httpapi-ratelimit-headers; q is the burst and w the seconds in which it comes back), and the quotas.
 */
export function pushLimitHeaders(list: string[], { requests, tokens, quotas }: Standing): void {
  if (requests) pushBucket(list, 'requests', requests);
  if (tokens) pushBucket(list, 'tokens', tokens);
  if (requests && tokens) {
    const policy = `${policyOf('requests', requests)}, ${policyOf('tokens', tokens)}`;
    list.push('ratelimit-policy', policy);
    list.push('ratelimit', `${stateOf('requests', requests)}, ${stateOf('tokens', tokens)}`);
  } else if (requests) {
    list.push('ratelimit-policy', policyOf('requests', requests), 'ratelimit', stateOf('requests', requests));
  } else if (tokens) {
    list.push('ratelimit-policy', policyOf('tokens', tokens), 'ratelimit', stateOf('tokens', tokens));
  }
  pushQuota(list, 'requests', quotas.requests, String);
  pushQuota(list, 'tokens', quotas.tokens, String);
  pushQuota(list, 'images', quotas.images, String);
  pushQuota(list, 'cost-usd', quotas.costNano, (nano) => String(usdFromNano(nano)));
}

function pushBucket(list: string[], name: string, bucket: BucketStanding): void {
  list.push(
    `x-ratelimit-limit-${name}`,
    String(bucket.perMinute),
    `x-ratelimit-remaining-${name}`,
    String(bucket.remaining),
    `x-ratelimit-reset-${name}`,
    goDuration(bucket.fullInMs),
  );
}

function policyOf(name: string, { burst, perMinute }: BucketStanding): string {
  return `"${name}";q=${burst};w=${Math.ceil((burst / perMinute) * 60)};qu="${name}"`;
}

function stateOf(name: string, { remaining, fullInMs }: BucketStanding): string {
  return `"${name}";r=${remaining};t=${Math.ceil(fullInMs / 1_000)}`;
}

function pushQuota(
  list: string[],
  name: string,
  quota: { readonly limit: number; readonly remaining: number } | undefined,
  format: (amount: number) => string,
): void {
  if (!quota) return;
  list.push(
    `x-quota-limit-${name}`,
    format(quota.limit),
    `x-quota-remaining-${name}`,
    format(quota.remaining),
  );
}

/** As Go prints a duration, which is what OpenAI's headers hold: `12ms`, `1.5s`, `6m0s`. */
export function goDuration(milliseconds: number): string {
  const whole = Math.ceil(milliseconds);
  if (whole < 1_000) return whole === 0 ? '0s' : `${whole}ms`;
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor((whole % 3_600_000) / 60_000);
  const seconds = `${(whole % 60_000) / 1_000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
