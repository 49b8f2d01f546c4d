/** How a call is turned away at a limit. Pure. */
import { type Refusal, refusal } from '../../core/errors.ts';
import { type QuotaDimension, quotaDimensions, quotaPeriods } from '../../core/limits.ts';
import type { Bucket, Scope, ScopesOfCall, TicketVerdict } from '../../redis/ticket-table.ts';

/** Official clients sit out a wait up to this, and come back sooner when they are told a longer one. */
const WAIT_MS_MAX = 60_000;
/** A slot comes free when a call ends, and nobody knows when that is. */
const SLOT_WAIT_MS = 1_000;

const OWNERS = ['tenant', 'key', 'tenant for this model', 'key for this model'] as const;
const REQUESTS = 1;
const TOKENS = 2;
const SLOTS = 3;

/** Where nobody can tell when a job may run. */
const JOB_WAIT_MS_MAX = 3_600_000;

/** How long a job waits that was refused. Its charge stands, so nothing is added for an estimate that may grow. */
export function waitMsOf({ code, waitMs }: TicketVerdict): number {
  if (code % 100 === SLOTS) return SLOT_WAIT_MS;
  return waitMs < 0 ? JOB_WAIT_MS_MAX : Math.min(JOB_WAIT_MS_MAX, Math.max(1, Math.ceil(waitMs)));
}

/** Which limit it was. A closed set: it is a metric label. */
export function limitOf({ code }: TicketVerdict): string {
  const owner = OWNERS[Math.floor(code / 100) - 1] as string;
  const what = code % 100;
  const kind = owner.replaceAll(' ', '_').replace('_for_this', '');
  if (what === REQUESTS) return `${kind}_requests_per_minute`;
  if (what === TOKENS) return `${kind}_tokens_per_minute`;
  if (what === SLOTS) return `${kind}_max_concurrent`;
  const { period, dimension } = quotaOf(what);
  return `${kind}_quota_${period}_${dimension}`;
}

/** @param neededTokens what the call was estimated at */
export function refusalOf(verdict: TicketVerdict, scopes: ScopesOfCall, neededTokens: number): Refusal {
  const kind = Math.floor(verdict.code / 100) - 1;
  const owner = OWNERS[kind] as string;
  const scope = scopes[kind] as Scope;
  const what = verdict.code % 100;
  const reason = limitOf(verdict);
  if (what === REQUESTS) {
    const message = `Rate limit reached for this ${owner}: ${scope.requests.perMinute} requests per minute.`;
    return limited(message, 'requests', verdict.waitMs, reason);
  }
  if (what === TOKENS) {
    const needed = `This request needs about ${neededTokens}`;
    const message = `Rate limit reached for this ${owner}: ${scope.tokens.perMinute} tokens per minute. ${needed}.`;
    return limited(message, 'tokens', verdict.waitMs + reserveMs(scope.tokens, neededTokens), reason);
  }
  if (what === SLOTS) {
    const message = `Rate limit reached for this ${owner}: ${scope.slots} requests at the same time.`;
    return limited(message, 'requests', SLOT_WAIT_MS, reason);
  }
  return spent(owner, what, verdict.waitMs, reason);
}

/**
 * When the call comes back it is estimated again, by another replica or by one that has learned meanwhile. So the wait
 * is long enough for an estimate that is an eighth and two tokens higher.
 */
function reserveMs({ perMinute, burst }: Bucket, neededTokens: number): number {
  if (perMinute === undefined || burst === undefined) return 0;
  const reserve = Math.min(burst, neededTokens * 1.125 + 2) - Math.min(burst, neededTokens);
  return (reserve / perMinute) * 60_000;
}

function limited(message: string, type: 'requests' | 'tokens', waitMs: number, reason: string): Refusal {
  const wait = Math.max(1, Math.ceil(waitMs));
  return refusal('rate_limit_exceeded', `${message} Please try again in ${seconds(wait)} s.`, {
    type,
    reason,
    retryable: wait <= WAIT_MS_MAX,
    headers: { 'retry-after': String(Math.ceil(wait / 1_000)), 'retry-after-ms': String(wait) },
  });
}

/** Waiting does not help for a quota, so there is no Retry-After, although most begin anew some day. */
function spent(owner: string, what: number, endsInMs: number, reason: string): Refusal {
  const { period, dimension } = quotaOf(what);
  const span = period === 'total' ? 'in total' : `of this ${period}`;
  const ending = period === 'total' ? '' : ` It begins anew in ${seconds(endsInMs)} s.`;
  const message = `The quota of ${NAMES[dimension]} ${span} of this ${owner} is used up.${ending}`;
  return refusal('insufficient_quota', message, { reason });
}

const NAMES: Readonly<Record<QuotaDimension, string>> = {
  requests: 'requests',
  tokens: 'tokens',
  images: 'images',
  gpu_seconds: 'GPU-seconds',
  cost_usd: 'money',
};

function quotaOf(what: number) {
  return {
    period: quotaPeriods[Math.floor(what / 10) - 1] as (typeof quotaPeriods)[number],
    dimension: quotaDimensions[(what % 10) - 1] as QuotaDimension,
  };
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1_000).toFixed(milliseconds < 10_000 ? 3 : 0);
}
