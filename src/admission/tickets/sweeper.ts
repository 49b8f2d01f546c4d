/**
 * Ends the tickets of replicas that died. A tenant's next admission would do so where it is short of slots, but a
 * tenant that has gone silent has none. One replica at a time sweeps all tenants with tickets; which are those, each
 * replica tells when it first meets a tenant and every half a minute after that.
 */
import type { SweepTable } from '../../redis/sweep-table.ts';
import type { SweptTenant, TicketTable } from '../../redis/ticket-table.ts';
import type { Logger } from '../../telemetry/log.ts';

const EVERY_MS = 10_000;
const NOTED_EVERY_MS = 30_000;
/** A tenant that is noted so long ago, and has no tickets, is not looked at any more. */
const SILENT_MS = 120_000;
const TENANTS_AT_ONCE = 100;
const TICKETS_AT_ONCE = 200;

interface SweeperParts {
  readonly tickets: TicketTable;
  readonly table: SweepTable;
  readonly replica: string;
  readonly log: Logger;
  /** Tickets whose holder has not come back. */
  readonly onLost: (count: number) => void;
  readonly everyMs?: number;
}

export class Sweeper {
  readonly #parts: SweeperParts;
  readonly #notedAtMs = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#schedule();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Redis may have forgotten which tenants have tickets. */
  forgetNotes(): void {
    this.#notedAtMs.clear();
  }

  /** Before a tenant's first ticket goes out: on the same connection, so it arrives first. */
  note(tenant: string): void {
    const nowMs = performance.now();
    if (nowMs - (this.#notedAtMs.get(tenant) ?? Number.NEGATIVE_INFINITY) < NOTED_EVERY_MS) return;
    this.#notedAtMs.set(tenant, nowMs);
    this.#parts.table.note(tenant).then((answer) => {
      if (!answer.ok) this.#notedAtMs.delete(tenant);
    });
  }

  /** With jitter, so that replicas that started together do not ask together. */
  #schedule(): void {
    const { everyMs = EVERY_MS } = this.#parts;
    this.#timer = setTimeout(() => void this.#turn(), everyMs * (0.75 + Math.random() / 2)).unref();
  }

  async #turn(): Promise<void> {
    this.#forgetSilent();
    try {
      await this.#sweep();
    } catch (error) {
      this.#parts.log.error({ cause: String(error) }, 'a sweep has failed');
    }
    this.#schedule();
  }

  #forgetSilent(): void {
    const silentSinceMs = performance.now() - SILENT_MS;
    for (const [tenant, notedAtMs] of this.#notedAtMs) {
      if (notedAtMs < silentSinceMs) this.#notedAtMs.delete(tenant);
    }
  }

  async #sweep(): Promise<void> {
    const { table, replica, everyMs = EVERY_MS } = this.#parts;
    const mine = await table.claim(replica, Math.ceil(everyMs * 0.7));
    if (!mine.ok || !mine.value) return;
    let cursor = '0';
    do {
      const page = await table.activeTenants(cursor, TENANTS_AT_ONCE);
      if (!page.ok) return;
      for (const tenant of page.value.tenants) {
        if (await this.#sweepTenant(tenant)) await table.note(tenant);
      }
      cursor = page.value.cursor;
    } while (cursor !== '0');
    await table.forgetSilent(SILENT_MS);
  }

  /** Whether it is to be looked at again: it has tickets, or nobody knows. */
  async #sweepTenant(tenant: string): Promise<boolean> {
    const { tickets, onLost, log } = this.#parts;
    let swept: SweptTenant;
    do {
      const answer = await tickets.sweep(tenant, TICKETS_AT_ONCE);
      if (!answer.ok) return true;
      swept = answer.value;
      if (swept.expired > 0) {
        onLost(swept.expired);
        log.warn({ tenant, count: swept.expired }, 'tickets of a lost replica have run out');
      }
    } while (swept.expired + swept.forgotten >= TICKETS_AT_ONCE);
    return swept.left > 0;
  }
}
