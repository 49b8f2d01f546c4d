/**
 * What the ticket scripts promise, without Redis: one tenant, plain maps, one thing after the other. Slow and
 * obvious. Random sequences run against both (random-run.ts).
 */
import { type Charge, noCharge } from '../../../src/core/ticket.ts';
import type {
  Admitted,
  Amounts,
  FoundTicket,
  Scope,
  SweptTenant,
  TicketClosing,
  TicketRequest,
  TicketVerdict,
} from '../../../src/redis/ticket-table.ts';
import { type Account, amountsOf, refusalOf, stateOf, use, type Wants } from './reference-account.ts';
import {
  addSums,
  adopted,
  charged,
  dayOf,
  lostSums,
  minus,
  monthOf,
  periodAt,
  plus,
  type Sums,
  settledSums,
} from './reference-parts.ts';

/** What was taken from one account. */
interface Taken {
  readonly scope: string;
  readonly slot: boolean;
  readonly requests: boolean;
  readonly tokens: boolean;
  readonly quotas: readonly number[];
}

export interface ModelTicket {
  state: 'open' | 'expired' | 'closed';
  /** Has ever had more than its quota. */
  readonly hasRun: boolean;
  /** Booked as lost, at least once. */
  isBookedLost: boolean;
  untilMs: number;
  readonly keyId: string;
  readonly model: string;
  readonly atMs: number;
  readonly charge: Charge;
  taken: readonly Taken[];
}

const EXPIRED_KEPT_MS = 86_400_000;
const MARKER_KEPT_MS = 600_000;
export class ReferenceModel {
  /** Of the server; may step back. */
  timeMs: number;
  version = 0;
  /** What time was last seen by a step that wrote. */
  clockMs = 0;
  readonly accounts = new Map<string, Account>();
  readonly tickets = new Map<string, ModelTicket>();
  /** By `<day or month>:<key>:<model>`. */
  readonly books = new Map<string, Sums>();
  /** Names of those that were written since somebody has looked. */
  readonly touchedBooks = new Set<string>();
  readonly batches = new Map<string, number>();

  constructor(timeMs: number) {
    this.timeMs = timeMs;
  }

  /** A step back of up to a minute stops time; a longer one is believed. */
  now(): number {
    const isStanding = this.clockMs > this.timeMs && this.clockMs - this.timeMs <= 60_000;
    return isStanding ? this.clockMs : this.timeMs;
  }

  account(scope: string): Account {
    const known = this.accounts.get(scope);
    if (known) return known;
    const made: Account = { slots: 0, requests: undefined, tokens: undefined, quotas: new Map() };
    this.accounts.set(scope, made);
    return made;
  }

  admit(version: number, leaseMs: number, requests: readonly TicketRequest[]): Admitted | 'stale' {
    if (version !== this.version) return 'stale';
    const now = this.now();
    const scopes = new Map(
      requests.flatMap(({ scopes: four }) => four.flatMap((one) => (one ? [[one.name, one]] : []))),
    );
    const isFull = ({ name, slots }: Scope) => slots !== undefined && this.account(name).slots >= slots;
    if ([...scopes.values()].some(isFull)) this.#expire(100);
    for (const scope of scopes.values()) this.#adoptPaces(scope, now);
    const taken = new Set<string>();
    const verdicts = requests.map((request): TicketVerdict => {
      const before = taken.has(request.ticket) ? undefined : this.#resumedBy(request);
      if (this.tickets.has(request.ticket) && !before) return { code: 0, waitMs: 0 };
      const wantsIn = (scope: string) => wantsBeside(request, before, scope);
      const charge = before?.charge ?? request.charge;
      const refusal = refusalOf({ ...request, charge }, wantsIn, (scope) => this.account(scope), now);
      if (refusal) return { code: refusal.code, waitMs: Math.ceil(refusal.waitMs) };
      this.#take({ ...request, charge }, before, now, leaseMs);
      taken.add(request.ticket);
      return { code: 0, waitMs: 0 };
    });
    const states = new Map(
      [...scopes].map(([name, scope]) => [name, stateOf(scope, this.account(name), now)]),
    );
    return { nowMs: now, verdicts, states };
  }

  /** Also where all calls are refused: a new rate counts from the first call that brings it. */
  #adoptPaces(scope: Scope, now: number): void {
    const account = this.account(scope.name);
    for (const kind of ['requests', 'tokens'] as const) {
      const bucket = account[kind];
      const { perMinute, burst } = scope[kind];
      const isNew = bucket?.perMinute !== perMinute || bucket?.burst !== burst;
      if (bucket && isNew) account[kind] = adopted(bucket, scope[kind], now) ?? bucket;
    }
  }

  #resumedBy({ ticket, resumes, keyId, model }: TicketRequest): ModelTicket | undefined {
    const before = resumes ? this.tickets.get(ticket) : undefined;
    const isOurs = before && before.state !== 'closed' && before.keyId === keyId && before.model === model;
    return isOurs ? before : undefined;
  }

  #take(request: TicketRequest, before: ModelTicket | undefined, now: number, leaseMs: number): void {
    const { ticket, keyId, model, scopes, charge } = request;
    const taken = scopes.flatMap((scope): Taken[] => {
      if (!scope) return [];
      const wants = wantsBeside(request, before, scope.name);
      const account = this.account(scope.name);
      const requests = wants.requests ? adopted(account.requests, scope.requests, now) : undefined;
      if (requests) account.requests = charged(requests, 1, now);
      const tokens = wants.tokens ? adopted(account.tokens, scope.tokens, now) : undefined;
      if (tokens) account.tokens = charged(tokens, amountsOf(charge)[1], now);
      const slot = wants.slot && scope.slots !== undefined;
      if (slot) account.slots += 1;
      const quotas = wants.quota ? scope.quotas.map(({ period }) => period) : [];
      for (const period of quotas) use(account, period, now, amountsOf(charge));
      return [{ scope: scope.name, slot, requests: !!requests, tokens: !!tokens, quotas }];
    });
    const untilMs = now + leaseMs;
    const whose = { keyId, model, atMs: before?.atMs ?? now, charge };
    const isBookedLost = before?.isBookedLost ?? false;
    const all = joined(taken, before);
    const hasRun = (before?.hasRun ?? false) || request.parts.rate || request.parts.slot;
    this.tickets.set(ticket, { state: 'open', hasRun, isBookedLost, untilMs, ...whose, taken: all });
    this.clockMs = now;
  }

  settle(replica: string, number: number, closings: readonly TicketClosing[]): FoundTicket[] | 'repeated' {
    if (number <= (this.batches.get(replica) ?? 0)) return 'repeated';
    this.batches.set(replica, number);
    const now = this.now();
    this.clockMs = now;
    const closed = new Set<string>();
    return closings.map((closing) => {
      if (closed.has(closing.ticket)) return 'closed';
      closed.add(closing.ticket);
      return this.#close(closing, now);
    });
  }

  #close(closing: TicketClosing, now: number): FoundTicket {
    const { ticket: id, keyId, model, settlement } = closing;
    const ticket = this.tickets.get(id);
    if (ticket?.state === 'closed') return 'closed';
    const real = settlement?.spent ?? noCharge;
    if (!ticket && settlement && closing.isShared) return 'closed';
    const nobodys = { hasRun: false, isBookedLost: false, atMs: now, charge: noCharge, taken: [] };
    const marker = { ...nobodys, keyId, model, state: 'closed' as const, untilMs: now + MARKER_KEPT_MS };
    if (!ticket) {
      this.tickets.set(id, marker);
      if (settlement) this.#chargeExisting(keyId, amountsOf(real), now);
      if (settlement) this.#book(closing, now, settledSums(settlement));
      return 'absent';
    }
    if (!settlement && closing.isShared) this.tickets.set(id, marker);
    else this.tickets.delete(id);
    const delta = minus(amountsOf(real), amountsOf(ticket.charge));
    for (const taken of ticket.taken) this.#putRight(ticket, taken, delta, settlement === undefined, now);
    if (settlement) this.#book(ticket, ticket.atMs, settledSums(settlement));
    if (ticket.isBookedLost) this.#book(ticket, ticket.atMs, lostSums(ticket.charge), -1);
    return ticket.state;
  }

  #putRight(ticket: ModelTicket, taken: Taken, delta: Amounts, isVoid: boolean, now: number): void {
    const account = this.account(taken.scope);
    if (taken.slot && ticket.state === 'open') account.slots -= 1;
    if (taken.tokens && account.tokens) account.tokens = charged(account.tokens, delta[1], now);
    if (taken.requests && isVoid && account.requests) account.requests = charged(account.requests, -1, now);
    for (const kind of taken.quotas) {
      const quota = account.quotas.get(kind);
      if (quota?.period !== periodAt(kind, ticket.atMs)) continue;
      account.quotas.set(kind, { ...quota, used: plus(quota.used, delta) });
    }
  }

  /** Nobody knows what limits a call had that ran without admission: the quotas that there are count it. */
  #chargeExisting(keyId: string, amounts: Amounts, now: number): void {
    for (const scope of ['tenant', `key:${keyId}`]) {
      const account = this.account(scope);
      for (const kind of account.quotas.keys()) use(account, kind, now, amounts);
    }
  }

  #book(
    whose: { keyId: string; model: string },
    atMs: number,
    sums: Record<string, number>,
    times = 1,
  ): void {
    const pair = `${whose.keyId}:${whose.model}`;
    for (const name of [`${dayOf(atMs)}:${pair}`, `${monthOf(atMs)}:${pair}`, `${dayOf(atMs)}:*:*`]) {
      const book = this.books.get(name) ?? new Map<string, number>();
      this.books.set(name, book);
      this.touchedBooks.add(name);
      addSums(book, sums, times);
    }
  }

  renew(leaseMs: number, ids: readonly string[]): number {
    const now = this.now();
    let retaken = 0;
    for (const id of ids) {
      const ticket = this.tickets.get(id);
      if (!ticket || ticket.state === 'closed') continue;
      if (ticket.state === 'expired') {
        retaken += 1;
        for (const { scope, slot } of ticket.taken) this.account(scope).slots += slot ? 1 : 0;
      }
      ticket.state = 'open';
      ticket.untilMs = now + leaseMs;
      this.clockMs = now;
    }
    return retaken;
  }

  suspend(forMs: number, ids: readonly string[]): number {
    const now = this.now();
    const there = ids.flatMap((id) => this.tickets.get(id) ?? []).filter(({ state }) => state !== 'closed');
    for (const ticket of there) {
      for (const { scope, slot } of ticket.taken) {
        this.account(scope).slots -= slot && ticket.state === 'open' ? 1 : 0;
      }
      ticket.taken = ticket.taken.map((one) => ({ ...one, slot: false }));
      ticket.state = 'open';
      ticket.untilMs = now + forMs;
      this.clockMs = now;
    }
    return there.length;
  }

  sweep(countMax: number): SweptTenant {
    return { ...this.#expire(countMax), left: this.tickets.size };
  }

  #giveQuotaBack(ticket: ModelTicket, now: number): void {
    const delta = minus(amountsOf(noCharge), amountsOf(ticket.charge));
    for (const taken of ticket.taken) {
      const quotas = taken.quotas.filter((kind) => periodAt(kind, now) === periodAt(kind, ticket.atMs));
      const none = { scope: taken.scope, slot: false, requests: false, tokens: false, quotas };
      this.#putRight(ticket, none, delta, false, now);
    }
  }

  #expire(countMax: number): { expired: number; forgotten: number } {
    const now = this.now();
    const due = [...this.tickets]
      .filter(([, { untilMs }]) => untilMs <= now)
      .sort(([idA, a], [idB, b]) => a.untilMs - b.untilMs || (idA < idB ? -1 : 1))
      .slice(0, countMax);
    const open = due.filter(([, { state, hasRun }]) => state === 'open' && hasRun);
    for (const [id, ticket] of due) {
      if (ticket.state === 'open' && ticket.hasRun) continue;
      this.tickets.delete(id);
      if (ticket.state === 'open') this.#giveQuotaBack(ticket, now);
    }
    for (const [, ticket] of open) {
      ticket.state = 'expired';
      ticket.untilMs = now + EXPIRED_KEPT_MS;
      for (const { scope, slot } of ticket.taken) this.account(scope).slots -= slot ? 1 : 0;
      if (!ticket.isBookedLost) this.#book(ticket, ticket.atMs, lostSums(ticket.charge));
      ticket.isBookedLost = true;
      this.clockMs = now;
    }
    return { expired: open.length, forgotten: due.length - open.length };
  }
}

/** What a ticket holds in a scope; of one that has run out, the slot is free. */
function heldIn({ taken, state }: ModelTicket, scope: string): Taken | undefined {
  const held = taken.find((one) => one.scope === scope);
  return held && { ...held, slot: held.slot && state === 'open' };
}

/** What a call asks for beside what its ticket holds. */
function wantsBeside({ parts }: TicketRequest, before: ModelTicket | undefined, scope: string): Wants {
  const held = before && heldIn(before, scope);
  return {
    slot: parts.slot && !held?.slot,
    requests: parts.rate && !held?.requests,
    tokens: parts.rate && !held?.tokens,
    quota: parts.quota && !held?.quotas.length,
  };
}

function joined(taken: readonly Taken[], before: ModelTicket | undefined): Taken[] {
  const scopes = new Set([...taken, ...(before?.taken ?? [])].map(({ scope }) => scope));
  return [...scopes].map((scope) => {
    const held = before && heldIn(before, scope);
    const fresh = taken.find((one) => one.scope === scope);
    return {
      scope,
      slot: !!held?.slot || !!fresh?.slot,
      requests: !!held?.requests || !!fresh?.requests,
      tokens: !!held?.tokens || !!fresh?.tokens,
      quotas: [...(held?.quotas ?? []), ...(fresh?.quotas ?? [])],
    };
  });
}
