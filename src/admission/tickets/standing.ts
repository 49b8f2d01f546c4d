/** What a caller is told of its limits. Pure. */
import type { BucketStanding, QuotaStanding, Standing } from '../../core/standing.ts';
import type { Bucket, ScopeState, ScopesOfCall } from '../../redis/ticket-table.ts';

const IMAGES = 2;
const COST = 4;

export function standingOf(
  scopes: ScopesOfCall,
  states: ReadonlyMap<string, ScopeState>,
): Standing | undefined {
  let requests: BucketStanding | undefined;
  let tokens: BucketStanding | undefined;
  const quotas: (QuotaStanding | undefined)[] = [];
  let isLimited = false;
  for (const scope of scopes) {
    const state = scope && states.get(scope.name);
    if (!state) continue;
    isLimited = true;
    requests = tighter(requests, scope.requests, state.requestsLeft, state.requestsFullInMs);
    tokens = tighter(tokens, scope.tokens, state.tokensLeft, state.tokensFullInMs);
    for (const [index, { max }] of scope.quotas.entries()) {
      for (const [dimension, limit] of max.entries()) {
        if (limit === undefined) continue;
        const remaining = Math.max(0, limit - (state.used[index]?.[dimension] ?? 0));
        if (remaining < (quotas[dimension]?.remaining ?? Infinity)) quotas[dimension] = { limit, remaining };
      }
    }
  }
  if (!isLimited) return undefined;
  return {
    requests,
    tokens,
    quotas: { requests: quotas[0], tokens: quotas[1], images: quotas[IMAGES], costNano: quotas[COST] },
  };
}

function tighter(
  known: BucketStanding | undefined,
  { perMinute, burst }: Bucket,
  remaining: number,
  fullInMs: number,
): BucketStanding | undefined {
  if (perMinute === undefined || burst === undefined) return known;
  return known && known.remaining <= remaining ? known : { perMinute, burst, remaining, fullInMs };
}
