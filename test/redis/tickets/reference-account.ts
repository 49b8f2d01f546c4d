/** One account of the reference model, and what its limits say to a call. */
import type { Charge } from '../../../src/core/ticket.ts';
import type {
  Amounts,
  Scope,
  ScopeState,
  TicketRequest,
  TicketVerdict,
} from '../../../src/redis/ticket-table.ts';
import { adopted, type Bucket, heldAt, missingMs, periodAt, periodEndMs, plus } from './reference-parts.ts';

export interface Account {
  slots: number;
  requests: Bucket | undefined;
  tokens: Bucket | undefined;
  /** By kind of period. */
  readonly quotas: Map<number, { readonly period: number; readonly used: Amounts }>;
}

/** Less than that is not waited for: the clock has whole milliseconds. */
const ROUNDING_MS = 0.25;

/** What a call asks for in one scope. */
export interface Wants {
  readonly slot: boolean;
  readonly requests: boolean;
  readonly tokens: boolean;
  readonly quota: boolean;
}

/** A spent quota comes before all else; of the rest what takes longest; a slot only where nothing else refuses. */
export function refusalOf(
  { scopes, charge }: Pick<TicketRequest, 'scopes' | 'charge'>,
  wantsIn: (scope: string) => Wants,
  accountOf: (scope: string) => Account,
  now: number,
): TicketVerdict | undefined {
  let worst: TicketVerdict | undefined;
  const [, tokens] = amountsOf(charge);
  for (const [index, scope] of scopes.entries()) {
    if (!scope) continue;
    const kind = 100 * (index + 1);
    const wants = wantsIn(scope.name);
    const quota = wants.quota ? spentQuota(scope, accountOf(scope.name), charge, now) : undefined;
    if (quota) return { code: kind + quota.code, waitMs: quota.waitMs };
    const account = accountOf(scope.name);
    const calls = adopted(account.requests, scope.requests, now);
    const words = adopted(account.tokens, scope.tokens, now);
    const waits = [
      calls && wants.requests ? missingMs(calls, 1, now) : 0,
      words && wants.tokens && tokens > 0 ? missingMs(words, Math.min(tokens, words.burst), now) : 0,
    ] as const;
    const code = waits[1] > waits[0] ? 2 : 1;
    const waitMs = Math.max(...waits);
    if (waitMs > ROUNDING_MS && waitMs > (worst?.waitMs ?? -1)) worst = { code: kind + code, waitMs };
    const isFull = wants.slot && scope.slots !== undefined && account.slots >= scope.slots;
    if (!worst && isFull) worst = { code: kind + 3, waitMs: -1 };
  }
  return worst;
}

function spentQuota(
  { quotas }: Scope,
  account: Account,
  charge: Charge,
  now: number,
): TicketVerdict | undefined {
  const amounts = amountsOf(charge);
  for (const { period, max } of quotas) {
    const used = usedIn(account, period, now);
    for (const [index, limit] of max.entries()) {
      const [before, amount] = [used[index] ?? 0, amounts[index] ?? 0];
      if (limit === undefined || (before + amount <= limit && before < limit)) continue;
      // What a call does not need does not refuse it, unless nobody can know what it will need: money, GPU time.
      if (amount === 0 && index < 3) continue;
      return { code: 10 * period + index + 1, waitMs: periodEndMs(period, now) };
    }
  }
  return undefined;
}

export function usedIn({ quotas }: Account, period: number, now: number): Amounts {
  const quota = quotas.get(period);
  return quota?.period === periodAt(period, now) ? quota.used : [0, 0, 0, 0, 0];
}

/** Counts in the period of today, which begins with nothing. */
export function use(account: Account, period: number, now: number, amounts: Amounts): void {
  const used = plus(usedIn(account, period, now), amounts);
  account.quotas.set(period, { period: periodAt(period, now), used });
}

export function stateOf(scope: Scope, account: Account, now: number): ScopeState {
  const calls = adopted(account.requests, scope.requests, now);
  const words = adopted(account.tokens, scope.tokens, now);
  const left = (bucket: Bucket | undefined) =>
    bucket ? Math.max(0, Math.floor(heldAt(bucket, now) + 0.001)) : -1;
  const fullInMs = (bucket: Bucket | undefined) =>
    bucket ? Math.ceil(missingMs(bucket, bucket.burst, now)) : 0;
  return {
    requestsLeft: left(calls),
    requestsFullInMs: fullInMs(calls),
    tokensLeft: left(words),
    tokensFullInMs: fullInMs(words),
    slotsTaken: account.slots,
    used: scope.quotas.map(({ period }) => usedIn(account, period, now)),
  };
}

export function amountsOf(charge: Charge): Amounts {
  const { requests, inputTokens, outputTokens, images, gpuMs, costNano } = charge;
  return [requests, inputTokens + outputTokens, images, gpuMs, costNano];
}
