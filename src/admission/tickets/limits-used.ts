/** How close a caller is to its limits, for the metrics. Pure. */
import type { LimitsUsed } from '../../core/limits-used.ts';
import type { Amounts, Bucket, ScopeQuota, ScopeState, ScopesOfCall } from '../../redis/ticket-table.ts';

/** Undefined: nothing limits it. Plain loops, because this runs for every call. */
export function limitsUsed(
  scopes: ScopesOfCall,
  states: ReadonlyMap<string, ScopeState>,
): LimitsUsed | undefined {
  let isLimited = false;
  let requestsPerMinute: number | undefined;
  let tokensPerMinute: number | undefined;
  let maxConcurrent: number | undefined;
  let quota: number | undefined;
  let tokenDebt = 0;
  for (const scope of scopes) {
    const state = scope && states.get(scope.name);
    if (!state) continue;
    isLimited = true;
    requestsPerMinute = larger(requestsPerMinute, bucketUsed(scope.requests, state.requestsFullInMs));
    tokensPerMinute = larger(tokensPerMinute, bucketUsed(scope.tokens, state.tokensFullInMs));
    tokenDebt = Math.max(tokenDebt, missing(scope.tokens, state.tokensFullInMs) - (scope.tokens.burst ?? 0));
    if (scope.slots !== undefined) maxConcurrent = larger(maxConcurrent, part(state.slotsTaken, scope.slots));
    for (let index = 0; index < scope.quotas.length; index += 1) {
      quota = quotaUsed(quota, (scope.quotas[index] as ScopeQuota).max, state.used[index] as Amounts);
    }
  }
  return isLimited ? { requestsPerMinute, tokensPerMinute, maxConcurrent, quota, tokenDebt } : undefined;
}

function bucketUsed(bucket: Bucket, fullInMs: number): number | undefined {
  return bucket.burst === undefined ? undefined : part(missing(bucket, fullInMs), bucket.burst);
}

/** What is left is told no lower than 0; the time until the bucket is full knows of debt. */
function missing({ perMinute = 0 }: Bucket, fullInMs: number): number {
  return (fullInMs * perMinute) / 60_000;
}

function quotaUsed(known: number | undefined, max: ScopeQuota['max'], used: Amounts): number | undefined {
  let most = known;
  for (let dimension = 0; dimension < max.length; dimension += 1) {
    const limit = max[dimension];
    if (limit !== undefined) most = larger(most, part(used[dimension] ?? 0, limit));
  }
  return most;
}

/** Of a limit of 0 all is used. */
function part(used: number, limit: number): number {
  return limit > 0 ? used / limit : 1;
}

function larger(known: number | undefined, found: number | undefined): number | undefined {
  if (known === undefined || found === undefined) return known ?? found;
  return Math.max(known, found);
}
