/** The tickets that this replica holds, and the heartbeat that keeps their leases alive. */
import type { TicketTable } from '../../redis/ticket-table.ts';
import type { Ticket } from './ticket.ts';

/** One script renews so many; more would hold up the others in Redis. */
const RENEWED_AT_ONCE = 500;

export class OpenTickets {
  readonly #table: TicketTable;
  readonly #leaseMs: number;
  readonly #retaken: (count: number) => void;
  /** In no order, each at the place that it knows: a Map with so much coming and going is a burden on the collector. */
  readonly #tickets: Ticket[] = [];
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #beating = false;

  constructor(
    table: TicketTable,
    { leaseMs, everyMs }: { leaseMs: number; everyMs: number },
    retaken: (count: number) => void,
  ) {
    this.#table = table;
    this.#leaseMs = leaseMs;
    this.#everyMs = everyMs;
    this.#retaken = retaken;
  }

  get size(): number {
    return this.#tickets.length;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#beat(), this.#everyMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  add(ticket: Ticket): void {
    ticket.place = this.#tickets.push(ticket) - 1;
  }

  remove(ticket: Ticket): void {
    const last = this.#tickets.pop();
    if (!last || last === ticket) return;
    this.#tickets[ticket.place] = last;
    last.place = ticket.place;
  }

  /** Those of a tenant in one call. A young ticket has most of its lease before it. */
  async #beat(): Promise<void> {
    if (this.#beating) return;
    this.#beating = true;
    const bornBeforeMs = performance.now() - this.#everyMs;
    const due = this.#tickets.filter((ticket) => ticket.bornAtMs <= bornBeforeMs);
    for (const [tenant, tickets] of Map.groupBy(due, (ticket) => ticket.tenant)) {
      for (let at = 0; at < tickets.length; at += RENEWED_AT_ONCE) {
        const ids = tickets.slice(at, at + RENEWED_AT_ONCE).map(({ id }) => id);
        const answer = await this.#table.renew(tenant, this.#leaseMs, ids);
        if (answer.ok && answer.value > 0) this.#retaken(answer.value);
      }
    }
    this.#beating = false;
  }
}
