/**
 * May it run? One round trip to Redis decides on all limits of key and tenant together and hands out a ticket; while
 * Redis is away this replica decides alone, within its share.
 */
import { type Refusal, refusal } from '../core/errors.ts';
import type { LimitsUsed } from '../core/limits-used.ts';
import type { Principal } from '../core/principal.ts';
import type { Standing } from '../core/standing.ts';
import type { Charge, Settlement } from '../core/ticket.ts';
import type { TicketRequest, TicketVerdict } from '../redis/ticket-table.ts';
import type { AdmissionDesk, Decision } from './tickets/desk.ts';
import { limitsUsed } from './tickets/limits-used.ts';
import type { OpenTickets } from './tickets/open-tickets.ts';
import { limitOf, refusalOf } from './tickets/refusals.ts';
import { ScopeMemory } from './tickets/scopes.ts';
import type { Settler } from './tickets/settler.ts';
import { standingOf } from './tickets/standing.ts';
import type { Sweeper } from './tickets/sweeper.ts';
import { Ticket } from './tickets/ticket.ts';

/** Where it was decided, and how. A closed set: a metric label. */
export type AdmissionOutcome = 'admitted' | 'refused' | 'admitted_locally' | 'refused_locally' | 'stale';

export type AdmissionResult =
  | {
      readonly kind: 'admitted';
      readonly ticket: Ticket;
      readonly standing: Standing | undefined;
      /** By this replica alone, because Redis did not answer. */
      readonly isLocal: boolean;
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly standing: Standing | undefined }
  /** The limits of this principal are not the tenant's any more: authenticate anew, then ask again. */
  | { readonly kind: 'stale' };

/** Decides while Redis does not. */
export interface LocalDecisions {
  remember(tenant: string, request: TicketRequest, states: Decision['states']): void;
  admit(tenant: string, request: TicketRequest): Promise<TicketVerdict>;
  /** A call of this replica has ended, wherever it was admitted. */
  ended(tenant: string, request: TicketRequest, spent: Charge | undefined): void;
  /** A call of this replica was admitted by Redis. */
  began(tenant: string, request: TicketRequest): void;
}

/** What is told of each call, on the hot path. */
export interface AdmissionEvents {
  /** @param limit the one that refused, or empty */
  readonly onDecision: (tenant: string, outcome: AdmissionOutcome, limit: string) => void;
  /** Not where nothing limits the call, or Redis has not decided. */
  readonly onLimitsUsed: (tenant: string, used: LimitsUsed) => void;
  /** Not where the ticket was closed as if it had never been. */
  readonly onCharged: (tenant: string, model: string, reserved: Charge, settlement: Settlement) => void;
}

interface AdmissionParts extends AdmissionEvents {
  readonly desk: AdmissionDesk;
  readonly settler: Settler;
  readonly open: OpenTickets;
  readonly sweeper: Sweeper;
  readonly local: LocalDecisions;
  /** Of this process; begins the ids of its tickets. */
  readonly replica: string;
  readonly redisState: () => 'ok' | 'degraded';
  /** Whether Redis holds the data of this installation. */
  readonly isDataTrusted: () => boolean;
}

const WHOLE = { quota: true, rate: true, slot: true };
const SLOTS = 3;
/**
 * A caller who has just got the end of an answer may be faster with the next call, through another replica, than
 * the settlement of the last one is. So a call that lacks nothing but a slot is looked at twice.
 */
const SLOT_PATIENCE_MS = 10;

export class Admission {
  readonly #parts: AdmissionParts;
  readonly #scopes = new ScopeMemory();
  #count = 0;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /**
   * Settles within the command time-out and a few milliseconds.
   * @param model public name, or the pattern of a pass-through route
   * @param charge what the call is expected to cost
   */
  async admit(principal: Principal, model: string, charge: Charge): Promise<AdmissionResult> {
    const { tenant, keyId, version } = principal;
    const { desk, sweeper, redisState, isDataTrusted } = this.#parts;
    const request: TicketRequest = {
      ticket: this.#nextId(),
      keyId,
      model,
      scopes: this.#scopes.of(principal, model),
      parts: WHOLE,
      charge,
    };
    sweeper.note(tenant);
    const wasSent = redisState() === 'ok';
    let answer = await desk.ask(tenant, version, request);
    if (answer.ok && answer.value !== 'stale' && answer.value.verdict.code % 100 === SLOTS) {
      await pause(SLOT_PATIENCE_MS);
      answer = await desk.ask(tenant, version, request);
    }
    if (!answer.ok) return this.#decideAlone(tenant, request, wasSent);
    if (answer.value === 'stale') {
      // Of data that are gone no limits can be read anew.
      if (!isDataTrusted()) return this.#decideAlone(tenant, request, false);
      this.#parts.onDecision(tenant, 'stale', '');
      return { kind: 'stale' };
    }
    return this.#conclude(tenant, request, answer.value);
  }

  #conclude(tenant: string, request: TicketRequest, { verdict, states }: Decision): AdmissionResult {
    const { local, onDecision, onLimitsUsed } = this.#parts;
    local.remember(tenant, request, states);
    const standing = standingOf(request.scopes, states);
    const used = limitsUsed(request.scopes, states);
    if (used) onLimitsUsed(tenant, used);
    if (verdict.code !== 0) {
      onDecision(tenant, 'refused', limitOf(verdict));
      return { kind: 'refused', refusal: refusalAt(verdict, request), standing };
    }
    onDecision(tenant, 'admitted', '');
    local.began(tenant, request);
    return { kind: 'admitted', ticket: this.#open(tenant, request), standing, isLocal: false };
  }

  /** The question may have reached Redis all the same; then the ticket that it made has to be closed. */
  async #decideAlone(tenant: string, request: TicketRequest, wasSent: boolean): Promise<AdmissionResult> {
    const { local, settler, onDecision } = this.#parts;
    const verdict = await local.admit(tenant, request);
    if (verdict.code === 0) {
      onDecision(tenant, 'admitted_locally', '');
      return { kind: 'admitted', ticket: this.#open(tenant, request), standing: undefined, isLocal: true };
    }
    onDecision(tenant, 'refused_locally', limitOf(verdict));
    if (wasSent) {
      const { ticket, keyId, model } = request;
      settler.close(tenant, { ticket, keyId, model, settlement: undefined });
    }
    return { kind: 'refused', refusal: refusalAt(verdict, request), standing: undefined };
  }

  #open(tenant: string, request: TicketRequest): Ticket {
    const { open, settler, local, onCharged } = this.#parts;
    const ticket = new Ticket(tenant, request, (closed, closing) => {
      open.remove(closed);
      if (closing.settlement) onCharged(tenant, request.model, request.charge, closing.settlement);
      local.ended(tenant, request, closing.settlement?.spent);
      settler.close(tenant, closing);
    });
    open.add(ticket);
    return ticket;
  }

  #nextId(): string {
    this.#count += 1;
    return `${this.#parts.replica}-${this.#count.toString(36)}`;
  }
}

/** Limits that changed again and again while a call asked to be let in. */
export const limitsKeepChanging: Refusal = refusal(
  'store_unavailable',
  'The limits of this key are changing at the moment. Try again.',
  { headers: { 'retry-after': '1' } },
);

function refusalAt(verdict: TicketVerdict, { scopes, charge }: TicketRequest): Refusal {
  return refusalOf(verdict, scopes, charge.inputTokens + charge.outputTokens);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
