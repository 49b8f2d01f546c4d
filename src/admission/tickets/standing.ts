/** What a caller is told of its limits. Pure. */
import type { BucketStanding, QuotaStanding, Standing } from '../../core/standing.ts';
import type { Amounts, Bucket, ScopeQuota, ScopeState, ScopesOfCall } from '../../redis/ticket-table.ts';

const IMAGES = 2;
const COST = 4;

export function standingOf(
  scopes: ScopesOfCall,
  states: ReadonlyMap<string, ScopeState>,
): Standing | undefined {
  let requests: BucketStanding | undefined;
  let tokens: BucketStanding | undefined;
  const quotas: (QuotaStanding | undefined)[] = [undefined, undefined, undefined, undefined, undefined];
  let isLimited = false;
  for (const scope of scopes) {
    const state = scope && states.get(scope.name);
    if (!state) continue;
    isLimited = true;
    requests = tighter(requests, scope.requests, state.requestsLeft, state.requestsFullInMs);
    tokens = tighter(tokens, scope.tokens, state.tokensLeft, state.tokensFullInMs);
    for (let index = 0; index < scope.quotas.length; index += 1) {
      keepTightest(quotas, (scope.quotas[index] as ScopeQuota).max, state.used[index] as Amounts);
    }
  }
  if (!isLimited) return undefined;
  return {
    requests,
    tokens,
    quotas: { requests: quotas[0], tokens: quotas[1], images: quotas[IMAGES], costNano: quotas[COST] },
  };
}

/** Plain loops: this runs for every call, and iterators are what it would mostly make. */
function keepTightest(quotas: (QuotaStanding | undefined)[], max: ScopeQuota['max'], used: Amounts): void {
  for (let dimension = 0; dimension < max.length; dimension += 1) {
    const limit = max[dimension];
    if (limit === undefined) continue;
    const remaining = Math.max(0, limit - (used[dimension] ?? 0));
    const known = quotas[dimension];
    if (!known || remaining < known.remaining) quotas[dimension] = { limit, remaining };
  }
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
