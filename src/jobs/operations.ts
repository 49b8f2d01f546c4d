/** What operators do with jobs, whoever owns them. Never a prompt, never an answer. */
import type { JobTickets } from '../admission/jobs/job-tickets.ts';
import type { Principals } from '../admission/jobs/principals.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import type { JobRecord } from '../core/job.ts';
import { decodeJob, type JobSpec } from '../core/job-spec.ts';
import type { Principal } from '../core/principal.ts';
import { readTokenSubject } from '../core/token-subject.ts';
import type { Answer } from '../redis/connection.ts';
import type { JobFilter, JobListing, JobPage } from '../redis/job-listing.ts';
import type { JobTable } from '../redis/job-table.ts';
import type { JobUpkeep, QueueReading } from '../redis/job-upkeep.ts';
import type { PayloadTable } from '../redis/payload-table.ts';
import type { JobDoor, Taken } from './door.ts';
import { jobIdPattern } from './job-id.ts';
import type { JobStanding, JobStandings } from './standings.ts';

export type Operated<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };

export interface ShownJob {
  readonly record: JobRecord;
  /** Undefined: it is over, or nobody knows. */
  readonly standing: JobStanding | undefined;
}

interface OperationsParts {
  readonly table: Pick<JobTable, 'find' | 'cancel'>;
  readonly listing: JobListing;
  readonly upkeep: Pick<JobUpkeep, 'read' | 'drain' | 'resume'>;
  readonly payloads: Pick<PayloadTable, 'readRequest' | 'delete'>;
  readonly standings: JobStandings;
  readonly door: Pick<JobDoor, 'take'>;
  readonly tickets: Pick<JobTickets, 'release'>;
  readonly principals: Principals;
  /** Wall clock. */
  readonly now: () => number;
}

/** Limits change rarely; who changes them several times a second is not waited for. */
const TRIES_MAX = 3;

/** All settle within some command time-outs; `store_unavailable` while Redis is away. */
export class JobOperations {
  readonly #parts: OperationsParts;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
  }

  async list(filter: JobFilter, limit: number, cursor?: string): Promise<Operated<JobPage>> {
    const page = await this.#parts.listing.page(filter, limit, cursor);
    if (!page.ok) return storeAway;
    return page.value ? done(page.value) : no(wrongCursor);
  }

  async show(id: string): Promise<Operated<ShownJob>> {
    const found = await this.#find(id);
    if (!found.ok) return found;
    return done({ record: found.value, standing: await this.#parts.standings.of(found.value) });
  }

  /** Of one that is over nothing changes. @returns it as it is then */
  async cancel(id: string): Promise<Operated<JobRecord>> {
    const { table, tickets, payloads } = this.#parts;
    if (!jobIdPattern.test(id)) return no(noSuchJob);
    const cancelled = await table.cancel(id, undefined, 'operator');
    if (!cancelled.ok) return storeAway;
    const found = await this.#find(id);
    // Where a worker has it, that settles what it has cost.
    if (found.ok && cancelled.value.verdict === 'cancelled' && found.value.started_at_ms === null) {
      const { tenant, key_id, model, attempt } = found.value;
      tickets.release(tenant, key_id, model, id);
      void payloads.delete(id, attempt);
    }
    return found;
  }

  /**
   * Another try of a job that has failed: a new job with the same request, charged to the same key by its limits of
   * today, which names the old one. Asked again, it gives the same new job again.
   */
  async retry(id: string): Promise<Operated<JobRecord>> {
    const found = await this.#find(id);
    if (!found.ok) return found;
    const { status, tenant, key_id, priority } = found.value;
    if (status !== 'failed') return no(notFailed(status));
    const request = await this.#parts.payloads.readRequest(id);
    if (!request.ok) return storeAway;
    const job = request.value.kind === 'whole' ? decodeJob(request.value.body) : undefined;
    if (!job) return no(requestGone);
    const spec = { ...job.spec, created_at_ms: Math.round(this.#parts.now()) };
    const subject = readTokenSubject(spec.subject);
    const owner = await this.#parts.principals.find(tenant, key_id, this.#parts.now(), subject);
    if (!owner.ok) return no(withoutKey(owner.refusal));
    const taken = await this.#take({ id, priority, spec, body: job.body, principal: owner.principal });
    if (taken.kind === 'refused') return no(taken.refusal);
    return taken.kind === 'stale' ? no(changing) : this.#find(taken.id);
  }

  async queue(): Promise<Operated<QueueReading>> {
    return operated(await this.#parts.upkeep.read([]));
  }

  /** Nothing waiting is begun any more, by any worker; what they have in hand goes on. */
  async drain(): Promise<Operated<QueueReading>> {
    const drained = await this.#parts.upkeep.drain(this.#parts.now());
    return drained.ok ? this.queue() : storeAway;
  }

  async resume(): Promise<Operated<QueueReading>> {
    const resumed = await this.#parts.upkeep.resume();
    return resumed.ok ? this.queue() : storeAway;
  }

  async #find(id: string): Promise<Operated<JobRecord>> {
    if (!jobIdPattern.test(id)) return no(noSuchJob);
    const found = await this.#parts.table.find(id);
    if (!found.ok) return storeAway;
    return found.value ? done(found.value) : no(noSuchJob);
  }

  async #take(again: {
    readonly id: string;
    readonly priority: number;
    readonly spec: JobSpec;
    readonly body: Buffer;
    readonly principal: Principal;
  }): Promise<Taken> {
    const { door, principals, now } = this.#parts;
    const { id, principal, ...order } = again;
    // No caller can name such a key: his are digests in hexadecimal.
    const once = { digest: `retry-${id}`, bodyDigest: '' };
    const whole = { ...order, way: 'async' as const, once, retryOf: id };
    let taken = await door.take({ ...whole, principal });
    for (let tries = 1; taken.kind === 'stale' && tries < TRIES_MAX; tries += 1) {
      const { tenant, keyId, subject } = principal;
      const owner = await principals.findAnew(tenant, keyId, now(), subject);
      if (!owner.ok) return { kind: 'refused', refusal: withoutKey(owner.refusal), standing: undefined };
      taken = await door.take({ ...whole, principal: owner.principal });
    }
    return taken;
  }
}

function done<T>(value: T): Operated<T> {
  return { ok: true, value };
}

function no(why: Refusal): { readonly ok: false; readonly refusal: Refusal } {
  return { ok: false, refusal: why };
}

function operated<T>(answer: Answer<T>): Operated<T> {
  return answer.ok ? done(answer.value) : storeAway;
}

const storeAway = no(
  refusal(
    'store_unavailable',
    'The Redis of jobs does not answer. A change may or may not have been made; look before you repeat it.',
    { headers: { 'retry-after': '1' } },
  ),
);

const noSuchJob = refusal('not_found', 'There is no such job, or not any more.');

const wrongCursor = refusal('invalid_parameter', 'cursor: must be `next_cursor` of the page before.', {
  param: 'cursor',
});

const requestGone = refusal(
  'conflict',
  'The request of the job is not kept any more. Its caller can send it again.',
);

const changing = refusal('conflict', 'The limits of its tenant are changing all the time. Try again.');

function notFailed(status: string): Refusal {
  return refusal('conflict', `Only a job that has failed can be tried again; this one is ${status}.`);
}

/** It is not the operator who has a wrong key. */
function withoutKey(refused: Refusal): Refusal {
  if (refused.name === 'store_unavailable') return refused;
  return refusal('conflict', 'The key that the job belongs to is not valid any more.');
}
