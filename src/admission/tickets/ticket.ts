import type { Charge, Settlement } from '../../core/ticket.ts';
import type { TicketClosing, TicketRequest } from '../../redis/ticket-table.ts';

/** A right to make one call, held by this replica. Closing it a second time does nothing. */
export class Ticket {
  readonly tenant: string;
  readonly request: TicketRequest;
  /** `performance.now()`. */
  readonly bornAtMs: number;
  /** Where it stands among the open ones. */
  place = -1;
  #closed: ((ticket: Ticket, closing: TicketClosing) => void) | undefined;

  constructor(
    tenant: string,
    request: TicketRequest,
    closed: (ticket: Ticket, closing: TicketClosing) => void,
  ) {
    this.tenant = tenant;
    this.request = request;
    this.bornAtMs = performance.now();
    this.#closed = closed;
  }

  get id(): string {
    return this.request.ticket;
  }

  get reserved(): Charge {
    return this.request.charge;
  }

  /** Another holds it now, and closes it. False: it was closed, or left, before. */
  leave(): boolean {
    const isHeld = this.#closed !== undefined;
    this.#closed = undefined;
    return isHeld;
  }

  /** @param settlement undefined: as if it had never been */
  close(settlement: Settlement | undefined): void {
    const closed = this.#closed;
    if (!closed) return;
    this.#closed = undefined;
    const { ticket, keyId, model } = this.request;
    closed(this, { ticket, keyId, model, settlement });
  }
}
