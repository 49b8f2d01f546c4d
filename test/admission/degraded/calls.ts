/** Calls and scopes, as short as a test can say them. */
import { LocalShare } from '../../../src/admission/degraded/local-share.ts';
import { type Charge, noCharge } from '../../../src/core/ticket.ts';
import type {
  Amounts,
  Scope,
  ScopeQuota,
  ScopeState,
  ScopesOfCall,
  TicketRequest,
} from '../../../src/redis/ticket-table.ts';

interface ScopeWish {
  readonly requests?: number;
  readonly tokens?: number;
  readonly slots?: number;
  readonly quotas?: readonly ScopeQuota[];
}

export const [MINUTE, DAY, TOTAL] = [1, 3, 5];

export function scope(name: string, { requests, tokens, slots, quotas = [] }: ScopeWish): Scope {
  return {
    name,
    requests: { perMinute: requests, burst: requests },
    tokens: { perMinute: tokens, burst: tokens },
    slots,
    quotas,
  };
}

/** Amounts in the order of the scripts; what is left out is not limited. */
export function quota(period: number, ...max: readonly (number | undefined)[]): ScopeQuota {
  return { period, max: [0, 1, 2, 3, 4].map((dimension) => max[dimension]) };
}

let count = 0;

export function call(scopes: readonly (Scope | undefined)[], charge: Partial<Charge> = {}): TicketRequest {
  count += 1;
  const [tenant, key, modelOfTenant, modelOfKey] = scopes;
  const ofCall: ScopesOfCall = [tenant, key, modelOfTenant, modelOfKey];
  return {
    ticket: `ticket-${count}`,
    keyId: 'key_000000000001',
    model: 'm',
    scopes: ofCall,
    parts: { quota: true, rate: true, slot: true },
    charge: { ...noCharge, requests: 1, ...charge },
  };
}

/** As Redis tells it of one scope. */
export function stateOf(name: string, ...used: readonly Amounts[]): ReadonlyMap<string, ScopeState> {
  const state = {
    requestsLeft: -1,
    requestsFullInMs: 0,
    tokensLeft: -1,
    tokensFullInMs: 0,
    slotsTaken: 0,
    used,
  };
  return new Map([[name, state]]);
}

export function shareAmong(replicas: number, now: () => number = Date.now): LocalShare {
  return new LocalShare({ replicas: { alive: () => replicas }, now });
}

/** How many of so many calls in a row are admitted. */
export async function admittedOf(
  tries: number,
  share: LocalShare,
  make: () => TicketRequest,
): Promise<number> {
  let admitted = 0;
  for (let index = 0; index < tries; index += 1) {
    if ((await share.admit('acme', make())).code === 0) admitted += 1;
  }
  return admitted;
}
