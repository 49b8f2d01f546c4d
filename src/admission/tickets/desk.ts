/**
 * The desk where calls ask to be admitted. Those of one tenant that come in one turn of the event loop go to Redis
 * in one call, which costs it, and this process, a third of what each alone would.
 */
import type { Answer } from '../../redis/connection.ts';
import type { Admitted, TicketRequest, TicketTable, TicketVerdict } from '../../redis/ticket-table.ts';

/** What became of one request; `states` are those of its whole batch. */
export interface Decision {
  readonly verdict: TicketVerdict;
  readonly states: Admitted['states'];
}

export type DeskAnswer = Answer<Decision | 'stale'>;

interface Waiting {
  readonly request: TicketRequest;
  readonly answered: (answer: DeskAnswer) => void;
}

interface Batch {
  readonly tenant: string;
  readonly version: number;
  readonly waiting: Waiting[];
}

const BATCH_MAX = 64;

export class AdmissionDesk {
  readonly #table: TicketTable;
  readonly #leaseMs: number;
  #batches: Batch[] = [];

  constructor(table: TicketTable, leaseMs: number) {
    this.#table = table;
    this.#leaseMs = leaseMs;
  }

  /** Settles within the command time-out. @param version of the tenant, to which the limits belong */
  ask(tenant: string, version: number, request: TicketRequest): Promise<DeskAnswer> {
    return new Promise((answered) => {
      this.#batchOf(tenant, version).waiting.push({ request, answered });
    });
  }

  #batchOf(tenant: string, version: number): Batch {
    const open = this.#batches.find(
      (batch) => batch.tenant === tenant && batch.version === version && batch.waiting.length < BATCH_MAX,
    );
    if (open) return open;
    if (this.#batches.length === 0) setImmediate(() => this.#send());
    const batch: Batch = { tenant, version, waiting: [] };
    this.#batches.push(batch);
    return batch;
  }

  #send(): void {
    const batches = this.#batches;
    this.#batches = [];
    for (const batch of batches) void this.#decide(batch);
  }

  async #decide({ tenant, version, waiting }: Batch): Promise<void> {
    const requests = waiting.map(({ request }) => request);
    const answer = await this.#table.admit(tenant, version, this.#leaseMs, requests);
    for (const [index, { answered }] of waiting.entries()) answered(ofOne(answer, index));
  }
}

function ofOne(answer: Answer<Admitted | 'stale'>, index: number): DeskAnswer {
  if (!answer.ok) return answer;
  if (answer.value === 'stale') return { ok: true, value: 'stale' };
  const { verdicts, states } = answer.value;
  return { ok: true, value: { verdict: verdicts[index] as TicketVerdict, states } };
}
