/**
 * Brings settlements to Redis, each exactly once. The first one of a tenant goes at once; those that follow gather
 * while it is on its way, and for some milliseconds, because nobody waits for them and a batch costs Redis and this
 * process little more than a single one. A batch that got no answer is sent again as it was, under the same number,
 * and the script does nothing if it had arrived.
 *
 * While Redis is away they are kept, up to a bound; what does not fit is dropped, counted and logged.
 */

import type { FoundTicket, TicketClosing, TicketTable } from '../../redis/ticket-table.ts';
import type { Logger } from '../../telemetry/log.ts';

const BATCH_MAX = 64;
/** From one batch of a tenant to the next. A slot is free so much later: `SLOT_PATIENCE_MS` has to be longer. */
const GATHER_MS = 2;
const RETRY_MS = 200;
/** Some hundred bytes each. */
const BACKLOG_MAX = 100_000;
/** Tenants, before those that have nothing to settle are forgotten. */
const LANES_MAX = 10_000;

interface SettlerParts {
  readonly table: TicketTable;
  /** Of this process. */
  readonly replica: string;
  /** How many ended calls a tenant's stream keeps. */
  readonly callsKept: number;
  readonly log: Logger;
  readonly onSettled: (found: readonly FoundTicket[]) => void;
  readonly onDropped: (count: number) => void;
}

interface Lane {
  readonly tenant: string;
  waiting: TicketClosing[];
  sending: boolean;
}

export class Settler {
  readonly #parts: SettlerParts;
  readonly #lanes = new Map<string, Lane>();
  /** One sequence for all tenants: it grows for each of them too, and an idle tenant can be forgotten. */
  #number = 0;
  #backlog = 0;
  #dropping = false;
  #stopped = false;

  constructor(parts: SettlerParts) {
    this.#parts = parts;
  }

  /** Closings that Redis has not confirmed yet. */
  get backlog(): number {
    return this.#backlog;
  }

  close(tenant: string, closing: TicketClosing): void {
    if (this.#backlog >= BACKLOG_MAX) return this.#drop();
    this.#dropping = false;
    this.#backlog += 1;
    const lane = this.#laneOf(tenant);
    lane.waiting.push(closing);
    if (lane.sending) return;
    lane.sending = true;
    process.nextTick(() => this.#run(lane));
  }

  /** Waits until all is settled, at most so long; what is left then. The leases see to the rest. */
  async flush(limitMs: number): Promise<number> {
    const endMs = performance.now() + limitMs;
    while (this.#backlog > 0 && performance.now() < endMs) await pause(5);
    this.#stopped = true;
    return this.#backlog;
  }

  /**
   * A lane stays when it is empty. Taken out and put in again with every call, the Map's tables would follow each
   * other fast, and the collector would carry all that hangs on them into the old generation.
   */
  #laneOf(tenant: string): Lane {
    let lane = this.#lanes.get(tenant);
    if (!lane) {
      if (this.#lanes.size >= LANES_MAX) this.#forgetIdle();
      lane = { tenant, waiting: [], sending: false };
      this.#lanes.set(tenant, lane);
    }
    return lane;
  }

  #forgetIdle(): void {
    for (const [tenant, { sending }] of this.#lanes) if (!sending) this.#lanes.delete(tenant);
  }

  async #run(lane: Lane): Promise<void> {
    while (lane.waiting.length > 0 && !this.#stopped) {
      const closings = lane.waiting.splice(0, BATCH_MAX);
      this.#number += 1;
      await this.#untilConfirmed(lane.tenant, this.#number, closings);
      this.#backlog -= closings.length;
      if (lane.waiting.length < BATCH_MAX) await pause(GATHER_MS);
    }
    lane.sending = false;
  }

  async #untilConfirmed(tenant: string, number: number, closings: readonly TicketClosing[]): Promise<void> {
    const { table, replica, callsKept, onSettled } = this.#parts;
    while (!this.#stopped) {
      const answer = await table.settle(tenant, { replica, number, callsKept }, closings).catch(asFault);
      if (answer instanceof Error) return this.#giveUp(tenant, closings.length, answer);
      if (answer.ok) {
        if (answer.value !== 'repeated') onSettled(answer.value);
        return;
      }
      await pause(RETRY_MS);
    }
  }

  /** Redis says that the script is wrong: sending it again would say the same for ever. */
  #giveUp(tenant: string, count: number, fault: Error): void {
    this.#parts.onDropped(count);
    this.#parts.log.error({ tenant, count, cause: fault.message }, 'settlements cannot be written');
  }

  #drop(): void {
    this.#parts.onDropped(1);
    if (!this.#dropping) this.#parts.log.error('settlements are dropped: Redis has been away for too long');
    this.#dropping = true;
  }
}

function asFault(error: Error): Error {
  return error;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
