/** Tickets as the scripts take them. What the numbers mean stands on top of each script. */
import type { Charge, Settlement, TicketParts } from '../core/ticket.ts';
import type { Answer, RedisConnection } from './connection.ts';

/** One bucket; both undefined: not limited. */
export interface Bucket {
  readonly perMinute: number | undefined;
  readonly burst: number | undefined;
}

/** In the order of the scripts: requests, tokens, images, GPU milliseconds, nano-dollars. */
export type Amounts = readonly [number, number, number, number, number];

export interface ScopeQuota {
  /** 1 minute, 2 hour, 3 day, 4 month, 5 total. */
  readonly period: number;
  readonly max: readonly (number | undefined)[];
}

/** What one account is bound by. */
export interface Scope {
  /** As `keys.account` has it. */
  readonly name: string;
  readonly requests: Bucket;
  readonly tokens: Bucket;
  readonly slots: number | undefined;
  readonly quotas: readonly ScopeQuota[];
}

/** By kind: tenant, key, model of the tenant, model of the key. */
export type ScopesOfCall = readonly [
  Scope | undefined,
  Scope | undefined,
  Scope | undefined,
  Scope | undefined,
];

export interface TicketRequest {
  readonly ticket: string;
  readonly keyId: string;
  readonly model: string;
  readonly scopes: ScopesOfCall;
  readonly parts: TicketParts;
  readonly charge: Charge;
  /**
   * Goes on with what a ticket of this name holds, if there is one of this key and model: only the parts that it lacks
   * are asked for, and its charge counts instead of this one. Without: a ticket that is there gets its first verdict.
   */
  readonly resumes?: boolean;
}

/** 0: admitted. Else kind of scope (1–4) × 100 + 1 requests, 2 tokens, 3 slots, or 10 × period + dimension. */
export interface TicketVerdict {
  readonly code: number;
  /** Until it may be tried again; -1 where nobody can tell. */
  readonly waitMs: number;
}

/** A scope as the script left it. */
export interface ScopeState {
  /** -1: not limited. */
  readonly requestsLeft: number;
  readonly requestsFullInMs: number;
  readonly tokensLeft: number;
  readonly tokensFullInMs: number;
  readonly slotsTaken: number;
  /** Beside the quotas of the scope. */
  readonly used: readonly Amounts[];
}

export interface Admitted {
  /** Redis' clock. */
  readonly nowMs: number;
  readonly verdicts: readonly TicketVerdict[];
  /** By name of the scope. */
  readonly states: ReadonlyMap<string, ScopeState>;
}

export interface TicketClosing {
  readonly ticket: string;
  readonly keyId: string;
  readonly model: string;
  /** undefined: as if the ticket had never been. */
  readonly settlement: Settlement | undefined;
  /** Others may close it too, as may several attempts of a job: where it is gone, one of them has, and nothing is booked. */
  readonly isShared?: boolean;
}

export type FoundTicket = 'absent' | 'open' | 'expired' | 'closed';

export interface SweptTenant {
  readonly expired: number;
  readonly forgotten: number;
  readonly left: number;
}

export interface TicketTable {
  /** `stale`: the limits are not those of this version; nothing has been done. */
  admit(
    tenant: string,
    version: number,
    leaseMs: number,
    requests: readonly TicketRequest[],
  ): Promise<Answer<Admitted | 'stale'>>;
  /** How each was found; `repeated` when the number was applied before. */
  settle(
    tenant: string,
    batch: { readonly replica: string; readonly number: number; readonly callsKept: number },
    closings: readonly TicketClosing[],
  ): Promise<Answer<readonly FoundTicket[] | 'repeated'>>;
  /** How many had run out and took their slots again. */
  renew(tenant: string, leaseMs: number, tickets: readonly string[]): Promise<Answer<number>>;
  /** The slots are free, the rest stays taken until the tickets are resumed or closed, at most for so long. How many there were. */
  suspend(tenant: string, forMs: number, tickets: readonly string[]): Promise<Answer<number>>;
  /** Whether it is there to be closed, be its lease over or not. */
  isThere(tenant: string, ticket: string): Promise<Answer<boolean>>;
  sweep(tenant: string, countMax: number): Promise<Answer<SweptTenant>>;
}

/** Longer than any command that got no reply can lie in a socket. */
const MARKER_KEPT_MS = 600_000;
const FOUND: readonly FoundTicket[] = ['absent', 'open', 'expired', 'closed'];

export function ticketTable({ ask, keys }: Pick<RedisConnection, 'ask' | 'keys'>): TicketTable {
  return {
    admit: (tenant, version, leaseMs, requests) =>
      ask(async (client) => {
        const scopes = distinctScopes(requests);
        const batch = admissionBatch(version, leaseMs, scopes, requests);
        const reply = await client.admit(keys.root(tenant), JSON.stringify(batch));
        return reply[0] === -1 ? ('stale' as const) : readAdmitted(reply, scopes, requests.length);
      }, 'admit'),

    settle: (tenant, batch, closings) =>
      ask(async (client) => {
        const reply = await client.settle(
          keys.root(tenant),
          JSON.stringify(settlementBatch(batch, closings)),
        );
        if (reply[0] === -1) return 'repeated' as const;
        return reply.map((state) => FOUND[state] as FoundTicket);
      }, 'settle'),

    renew: (tenant, leaseMs, tickets) =>
      ask(async (client) => (await client.renew(keys.root(tenant), leaseMs, ...tickets))[1], 'renew'),

    suspend: (tenant, forMs, tickets) =>
      ask((client) => client.suspend(keys.root(tenant), forMs, ...tickets), 'renew'),

    isThere: (tenant, ticket) =>
      ask(async (client) => ((await client.hget(keys.tickets(tenant), ticket)) ?? 'c') !== 'c'),

    sweep: (tenant, countMax) =>
      ask(async (client) => {
        const [expired, forgotten, left] = await client.sweep(keys.root(tenant), countMax);
        return { expired, forgotten, left };
      }, 'sweep'),
  };
}

/** Calls of one version have the same limits under the same name. */
function distinctScopes(requests: readonly TicketRequest[]): ReadonlyMap<string, NumberedScope> {
  const distinct = new Map<string, NumberedScope>();
  for (const { scopes } of requests) {
    for (const scope of scopes) {
      if (scope && !distinct.has(scope.name)) distinct.set(scope.name, { scope, number: distinct.size + 1 });
    }
  }
  return distinct;
}

interface NumberedScope {
  readonly scope: Scope;
  readonly number: number;
}

function admissionBatch(
  version: number,
  leaseMs: number,
  scopes: ReadonlyMap<string, NumberedScope>,
  requests: readonly TicketRequest[],
): (string | number)[] {
  const list: (string | number)[] = [version, leaseMs, scopes.size];
  for (const { scope } of scopes.values()) {
    const { name, requests: calls, tokens, slots, quotas } = scope;
    list.push(name, ...paceOf(calls), ...paceOf(tokens));
    list.push(slots ?? '', quotas.length);
    for (const { period, max } of quotas) {
      list.push(period);
      for (const amount of max) list.push(amount ?? '');
    }
  }
  const owners = numberedOwners(requests);
  list.push(owners.size);
  for (const [, { request }] of owners) {
    list.push(request.keyId, request.model);
    for (const scope of request.scopes) list.push(scope ? (scopes.get(scope.name)?.number ?? 0) : 0);
  }
  list.push(requests.length);
  for (const request of requests) {
    const { parts, charge } = request;
    list.push(request.ticket, owners.get(ownerOf(request))?.number ?? 0);
    list.push((parts.slot ? 1 : 0) + (parts.rate ? 2 : 0) + (parts.quota ? 4 : 0));
    list.push(bounded(charge.inputTokens), bounded(charge.outputTokens), bounded(charge.images));
    list.push(bounded(charge.gpuMs), bounded(charge.costNano), request.resumes ? 1 : 0);
  }
  return list;
}

/** As texts: a bucket keeps the text of its pace, and Lua would write fewer digits of a number. */
function paceOf({ perMinute, burst }: Bucket): [string, string] {
  return [String(perMinute ?? ''), String(burst ?? '')];
}

/** Most calls of a batch have key and model in common, which are sent once. */
function numberedOwners<Call extends { readonly keyId: string; readonly model: string }>(
  calls: readonly Call[],
): ReadonlyMap<string, { readonly number: number; readonly request: Call }> {
  const owners = new Map<string, { number: number; request: Call }>();
  for (const request of calls) {
    const owner = ownerOf(request);
    if (!owners.has(owner)) owners.set(owner, { number: owners.size + 1, request });
  }
  return owners;
}

function ownerOf({ keyId, model }: { readonly keyId: string; readonly model: string }): string {
  return `${keyId} ${model}`;
}

function readAdmitted(
  reply: readonly number[],
  scopes: ReadonlyMap<string, NumberedScope>,
  count: number,
): Admitted {
  let at = 0;
  const next = () => reply[at++] as number;
  const nowMs = next();
  const verdicts: TicketVerdict[] = [];
  for (let index = 0; index < count; index += 1) verdicts.push({ code: next(), waitMs: next() });
  const states = new Map<string, ScopeState>();
  for (const { scope } of scopes.values()) {
    states.set(scope.name, {
      requestsLeft: next(),
      requestsFullInMs: next(),
      tokensLeft: next(),
      tokensFullInMs: next(),
      slotsTaken: next(),
      used: scope.quotas.map((): Amounts => [next(), next(), next(), next(), next()]),
    });
  }
  return { nowMs, verdicts, states };
}

function settlementBatch(
  batch: { readonly replica: string; readonly number: number; readonly callsKept: number },
  closings: readonly TicketClosing[],
): (string | number)[] {
  const { replica, number, callsKept } = batch;
  const list: (string | number)[] = [replica, number, callsKept, MARKER_KEPT_MS];
  const owners = new Map<string, number>();
  const ownerList: (string | number)[] = [];
  const ownerNumber = ({ keyId, model, settlement, isShared }: TicketClosing): number => {
    const route = settlement?.route ?? '';
    const shared = isShared ? 1 : 0;
    const name = `${keyId} ${model} ${route} ${shared}`;
    const known = owners.get(name);
    if (known !== undefined) return known;
    ownerList.push(keyId, model, route, shared);
    owners.set(name, owners.size + 1);
    return owners.size;
  };
  const calls: (string | number)[] = [];
  for (const closing of closings) {
    calls.push(closing.ticket, ownerNumber(closing));
    pushSettlement(calls, closing.settlement);
  }
  list.push(owners.size, ...ownerList, closings.length, ...calls);
  return list;
}

function pushSettlement(list: (string | number)[], settlement: Settlement | undefined): void {
  if (!settlement) {
    list.push(0, 0, 0, 0, 0, 0, 0, 0, 0, '');
    return;
  }
  const { spent, cachedTokens, status, durationMs, requestId } = settlement;
  list.push(bounded(spent.requests), bounded(spent.inputTokens), bounded(spent.outputTokens));
  list.push(bounded(spent.images), bounded(spent.gpuMs), bounded(spent.costNano), bounded(cachedTokens));
  // 0 would mean that there has been no call.
  list.push(Math.max(1, bounded(status)), bounded(durationMs), requestId);
}

/**
 * A server may claim anything. One number that is none would break the script in the middle of its writing, and sums
 * of absurd ones would overflow, and then no settlement of that day would pass any more.
 */
const AMOUNT_MAX = 1e15;

function bounded(amount: number): number {
  return Number.isFinite(amount) && amount > 0 ? Math.min(Math.round(amount), AMOUNT_MAX) : 0;
}
