/**
 * The tickets of jobs. A job has one, under its own id, from the door to its end, however often it runs:
 *
 *     reserve ──▶ waits, holds its quota ──▶ resume ──▶ runs, holds slot and tokens too ──▶ ticket.close (who finishes)
 *        │               │        ▲                        │
 *        │               │        └──── suspend ◀──────────┤ put back: its slot is free, the rest stays its own
 *        │               └─▶ close: cancelled or expired   └─ another attempt has taken over: leave
 *        └─▶ runs out after the lifetime of the job: the quota is given back
 *
 * What holds between attempts. A job that waits has a lease as long as its life; one that runs has that of a call, which
 * its worker renews. When a worker dies, the next attempt takes over slot and reservation in one step, at once, also
 * where there is only one slot. If nobody comes the lease runs out within seconds: the slot is free, and what was
 * reserved stays charged, booked as lost until the next attempt, which asks for a slot again and for nothing else.
 *
 * Who closes. All attempts, and whoever cancels, name the same ticket; the one whose end of the job counts closes it,
 * the others leave it. Should two close it all the same, as after a freeze, the first counts: what is gone is not
 * booked again. So a rerun that finds a job at its end may close its ticket from what is stored, without asking.
 *
 * Nothing is decided without Redis: a job can wait.
 */
import type { Refusal } from '../../core/errors.ts';
import type { Principal } from '../../core/principal.ts';
import type { Standing } from '../../core/standing.ts';
import type { Charge, Settlement, TicketParts } from '../../core/ticket.ts';
import type { StoreFailure } from '../../redis/failure.ts';
import type {
  Admitted,
  TicketClosing,
  TicketRequest,
  TicketTable,
  TicketVerdict,
} from '../../redis/ticket-table.ts';
import type { AdmissionEvents } from '../admission.ts';
import type { AdmissionDesk } from '../tickets/desk.ts';
import { limitsUsed } from '../tickets/limits-used.ts';
import type { OpenTickets } from '../tickets/open-tickets.ts';
import { limitOf, refusalOf, waitMsOf } from '../tickets/refusals.ts';
import { ScopeMemory } from '../tickets/scopes.ts';
import type { Settler } from '../tickets/settler.ts';
import { standingOf } from '../tickets/standing.ts';
import type { Sweeper } from '../tickets/sweeper.ts';
import { Ticket } from '../tickets/ticket.ts';

/** Whose ticket it is; what of its record it takes to close it. */
export interface JobTicketName {
  readonly tenant: string;
  readonly keyId: string;
  readonly model: string;
  readonly jobId: string;
}

type Undecided =
  /** The limits of this principal are not the tenant's any more: find it anew, then ask again. */
  | { readonly kind: 'stale' }
  /** Redis did not answer. */
  | { readonly kind: 'away'; readonly failure: StoreFailure };

export type Reserved =
  | { readonly kind: 'admitted'; readonly standing: Standing | undefined }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly standing: Standing | undefined }
  | Undecided;

export type Resumed =
  /** Whoever gets it closes it, suspends it or leaves it. */
  | { readonly kind: 'admitted'; readonly ticket: Ticket }
  /** `waitMs`: until it may be tried again; an hour where nobody can tell. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly waitMs: number }
  | Undecided;

interface JobTicketsParts extends AdmissionEvents {
  readonly table: TicketTable;
  readonly desk: AdmissionDesk;
  readonly settler: Settler;
  readonly open: OpenTickets;
  readonly sweeper: Sweeper;
  readonly redisState: () => 'ok' | 'degraded';
}

const AT_THE_DOOR: TicketParts = { quota: true, rate: false, slot: false };
const WHOLE: TicketParts = { quota: true, rate: true, slot: true };

export class JobTickets {
  readonly #parts: JobTicketsParts;
  readonly #scopes = new ScopeMemory();

  constructor(parts: JobTicketsParts) {
    this.#parts = parts;
  }

  /**
   * Takes the quota of a job that is about to be accepted. Settles within the command time-out. When Redis did not
   * answer, what it may have taken all the same is given back once it does.
   * @param lifetimeMs of the job, from now on
   */
  async reserve(
    principal: Principal,
    model: string,
    charge: Charge,
    jobId: string,
    lifetimeMs: number,
  ): Promise<Reserved> {
    const { table, sweeper, redisState, onDecision } = this.#parts;
    const { tenant, keyId, version } = principal;
    const request = this.#requestOf(principal, model, charge, jobId, AT_THE_DOOR);
    sweeper.note(tenant);
    const wasSent = redisState() === 'ok';
    const answer = await table.admit(tenant, version, lifetimeMs, [request]);
    if (!answer.ok) {
      if (wasSent) this.close({ tenant, keyId, model, jobId }, undefined);
      return { kind: 'away', failure: answer.failure };
    }
    if (answer.value === 'stale') {
      onDecision(tenant, 'stale', '');
      return { kind: 'stale' };
    }
    const { verdicts, states } = answer.value;
    const verdict = verdicts[0] as TicketVerdict;
    const standing = standingOf(request.scopes, states);
    this.#tellUse(tenant, request, states);
    if (verdict.code === 0) {
      onDecision(tenant, 'admitted', '');
      return { kind: 'admitted', standing };
    }
    onDecision(tenant, 'refused', limitOf(verdict));
    return { kind: 'refused', refusal: refusalAt(verdict, request), standing };
  }

  /**
   * For an attempt that is about to run: the ticket of the job with all that it lacks, held by this process, whose
   * heartbeat renews it. Settles within the command time-out. Refused, it is as it was.
   * @param charge as it was reserved; counts where the ticket has been given up meanwhile
   */
  async resume(principal: Principal, model: string, charge: Charge, jobId: string): Promise<Resumed> {
    const { desk, sweeper } = this.#parts;
    const { tenant, version } = principal;
    const request = { ...this.#requestOf(principal, model, charge, jobId, WHOLE), resumes: true };
    sweeper.note(tenant);
    const answer = await desk.ask(tenant, version, request);
    if (!answer.ok) return { kind: 'away', failure: answer.failure };
    if (answer.value === 'stale') return { kind: 'stale' };
    const { verdict, states } = answer.value;
    this.#tellUse(tenant, request, states);
    if (verdict.code === 0) return { kind: 'admitted', ticket: this.#hold(tenant, request) };
    return { kind: 'refused', refusal: refusalAt(verdict, request), waitMs: waitMsOf(verdict) };
  }

  /**
   * For an attempt that gives its job back to be run later, and does so before it says that it may run again. While
   * Redis is away the lease sees to it.
   * @param forMs what is left of the life of the job
   */
  async suspend(ticket: Ticket, forMs: number): Promise<void> {
    if (!this.leave(ticket)) return;
    await this.#parts.table.suspend(ticket.tenant, Math.max(1, Math.round(forMs)), [ticket.id]);
  }

  /** For an attempt that has been superseded. False: it was closed, or left, before. */
  leave(ticket: Ticket): boolean {
    if (!ticket.leave()) return false;
    this.#parts.open.remove(ticket);
    return true;
  }

  /**
   * For whoever ends a job without holding its ticket. Kept and repeated until Redis has it.
   * @param settlement undefined: it has cost nothing, and gives all back
   */
  close({ tenant, keyId, model, jobId }: JobTicketName, settlement: Settlement | undefined): void {
    this.#parts.settler.close(tenant, { ticket: jobId, keyId, model, settlement, isShared: true });
  }

  /** Of a job that was cancelled or has expired before it ran. */
  release(tenant: string, keyId: string, model: string, jobId: string): void {
    this.close({ tenant, keyId, model, jobId }, undefined);
  }

  /** Whether there is still something to settle; undefined while Redis does not answer. */
  async isOpen(tenant: string, jobId: string): Promise<boolean | undefined> {
    const answer = await this.#parts.table.isThere(tenant, jobId);
    return answer.ok ? answer.value : undefined;
  }

  #hold(tenant: string, request: TicketRequest): Ticket {
    const { open, settler, onCharged } = this.#parts;
    const ticket = new Ticket(tenant, request, (closed, closing: TicketClosing) => {
      open.remove(closed);
      if (closing.settlement) onCharged(tenant, request.model, request.charge, closing.settlement);
      settler.close(tenant, { ...closing, isShared: true });
    });
    open.add(ticket);
    return ticket;
  }

  #tellUse(tenant: string, { scopes }: TicketRequest, states: Admitted['states']): void {
    const used = limitsUsed(scopes, states);
    if (used) this.#parts.onLimitsUsed(tenant, used);
  }

  #requestOf(
    principal: Principal,
    model: string,
    charge: Charge,
    jobId: string,
    parts: TicketParts,
  ): TicketRequest {
    const scopes = this.#scopes.of(principal, model);
    return { ticket: jobId, keyId: principal.keyId, model, scopes, parts, charge };
  }
}

function refusalAt(verdict: TicketVerdict, { scopes, charge }: TicketRequest): Refusal {
  return refusalOf(verdict, scopes, charge.inputTokens + charge.outputTokens);
}
