/**
 * Where a request becomes a job:
 *
 *     room? ──▶ quota reserved ──▶ payload written ──▶ accepted, and confirmed by a replica where Redis has one
 *
 * Each step has a time limit, and what was taken is given back when a later one fails. Whoever was told no must not
 * find that it runs nevertheless: what Redis carries out later than the caller waits it refuses by itself, and what may
 * have been accepted without our hearing of it is withdrawn, before workers begin with what nobody has confirmed.
 */
import type { JobTickets } from '../admission/jobs/job-tickets.ts';
import type { Config } from '../config/schema.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import type { JobWay } from '../core/job.ts';
import { encodeJob, type JobSpec } from '../core/job-spec.ts';
import type { Principal } from '../core/principal.ts';
import type { Standing } from '../core/standing.ts';
import type { Answer } from '../redis/connection.ts';
import type { JobBounds, NewJob } from '../redis/job-acceptance.ts';
import type { Acceptance, JobTable } from '../redis/job-table.ts';
import type { PayloadTable } from '../redis/payload-table.ts';
import { HELD_MS } from './held-jobs.ts';
import { makeJobId } from './job-id.ts';
import { Withdrawals } from './withdrawals.ts';

export interface JobOrder {
  readonly principal: Principal;
  readonly spec: JobSpec;
  readonly body: Buffer;
  readonly way: JobWay;
  /** 0 … 9, the higher first. */
  readonly priority: number;
  /** Digests of the Idempotency-Key and of the request. */
  readonly once: { readonly digest: string; readonly bodyDigest: string } | undefined;
  /** The job of which this is another try. */
  readonly retryOf?: string;
}

export type Taken =
  | { readonly kind: 'accepted'; readonly id: string; readonly standing: Standing | undefined }
  /** The same Idempotency-Key and request have made this one before. */
  | { readonly kind: 'exists'; readonly id: string }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly standing: Standing | undefined }
  /** The limits of this principal are not the tenant's any more: authenticate anew, then ask again. */
  | { readonly kind: 'stale' };

interface DoorParts {
  readonly config: Pick<Config, 'jobs' | 'idempotency' | 'redis'>;
  readonly tickets: Pick<JobTickets, 'reserve' | 'release'>;
  readonly payloads: Pick<PayloadTable, 'writeRequest' | 'delete'>;
  readonly table: Pick<JobTable, 'clock' | 'confirm' | 'forget'>;
  /** Undefined: there is room. */
  roomFor(
    job: Pick<NewJob, 'tenant' | 'bytes'>,
    bounds: JobBounds,
  ): Promise<Answer<'full_tenant' | 'full' | undefined>>;
  /** Settles once what was written would outlive the primary. */
  readonly accept: JobTable['accept'];
}

/** Quota and payload outlive the job by this, so that whoever ends it finds them. */
const AFTERLIFE_MS = 60_000;
/** A job that came too late took nothing: on a machine that is merely slow the second try succeeds. */
const TRIES_MAX = 2;

export class JobDoor {
  readonly #parts: DoorParts;
  readonly #withdrawals: Withdrawals;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    this.#withdrawals = new Withdrawals(parts.table.forget, (id) => void this.#deletePayload(id));
  }

  /** Settles within some command time-outs, and what the payload takes to be written. */
  async take(order: JobOrder): Promise<Taken> {
    const { principal, spec } = order;
    const bytes = encodeJob(spec, order.body);
    if (!bytes) return refused(tooLarge);
    const { tickets, payloads } = this.#parts;
    const room = await this.#parts.roomFor({ tenant: spec.tenant, bytes: bytes.length }, this.#bounds);
    if (!room.ok) return refused(storeAway);
    if (room.value) return refused(refusals[room.value]);
    const id = makeJobId();
    const lifetimeMs = this.#lifetimeMs + AFTERLIFE_MS;
    const reserved = await tickets.reserve(principal, spec.model, spec.charge, id, lifetimeMs);
    if (reserved.kind === 'stale') return reserved;
    if (reserved.kind === 'away') return refused(storeAway);
    const { standing } = reserved;
    if (reserved.kind === 'refused') return { kind: 'refused', refusal: reserved.refusal, standing };
    const written = await payloads.writeRequest(id, bytes, lifetimeMs);
    if (!written.ok || typeof written.value === 'string') {
      this.#giveBack(id, spec);
      const isTooLarge = written.ok && written.value === 'too_large';
      return { kind: 'refused', refusal: isTooLarge ? tooLarge : storeAway, standing };
    }
    const accepted = await this.#accept(this.#newJob(id, order, bytes.length));
    return this.#conclude(id, spec, accepted, standing);
  }

  stop(): void {
    this.#withdrawals.stop();
  }

  get #lifetimeMs(): number {
    return this.#parts.config.jobs.lifetime_seconds * 1_000;
  }

  get #bounds(): JobBounds {
    const { waiting } = this.#parts.config.jobs;
    return {
      tenantJobsMax: waiting.tenant_jobs_max,
      tenantBytesMax: waiting.tenant_bytes_max,
      jobsMax: waiting.jobs_max,
      bytesMax: waiting.bytes_max,
    };
  }

  #newJob(id: string, { principal, spec, way, priority, once, retryOf }: JobOrder, bytes: number): NewJob {
    const { jobs, idempotency } = this.#parts.config;
    const { inputTokens, outputTokens } = spec.charge;
    return {
      id,
      tenant: principal.tenant,
      keyId: principal.keyId,
      model: spec.model,
      line: spec.line,
      via: way,
      ...(way === 'held' && { heldMs: HELD_MS }),
      priority,
      cost: inputTokens + outputTokens,
      weight: principal.jobs.weight,
      bytes,
      once: once && { ...once, keptMs: idempotency.seconds * 1_000 },
      ...(retryOf !== undefined && { retryOf }),
      isTentative: true,
      expiresInMs: this.#lifetimeMs,
      keptMs: jobs.result_seconds * 1_000,
    };
  }

  async #accept(job: NewJob): Promise<Answer<Acceptance>> {
    const { config, table, accept } = this.#parts;
    for (let tries = 1; ; tries += 1) {
      const clock = await table.clock();
      if (!clock.ok) return clock;
      // It is sent after this moment, and given up not before one time-out.
      const accepted = await accept(job, this.#bounds, clock.value + config.redis.command_timeout_ms);
      const isLate = accepted.ok && accepted.value.verdict === 'late';
      if (!isLate || tries === TRIES_MAX) return accepted;
    }
  }

  #conclude(id: string, spec: JobSpec, accepted: Answer<Acceptance>, standing: Standing | undefined): Taken {
    if (!accepted.ok) {
      this.#withdrawals.add(id);
      this.#parts.tickets.release(spec.tenant, spec.key_id, spec.model, id);
      return { kind: 'refused', refusal: storeAway, standing };
    }
    const { value } = accepted;
    if (value.verdict === 'accepted') {
      // Nobody waits for it: if it is lost, the job begins two seconds later.
      this.#parts.table.confirm(id).catch(() => undefined);
      return { kind: 'accepted', id, standing };
    }
    this.#giveBack(id, spec);
    if (value.verdict === 'exists') return { kind: 'exists', id: value.id };
    return { kind: 'refused', refusal: refusals[value.verdict], standing };
  }

  #giveBack(id: string, { tenant, key_id, model }: JobSpec): void {
    this.#parts.tickets.release(tenant, key_id, model, id);
    void this.#deletePayload(id);
  }

  /** Where that fails it expires by itself. */
  async #deletePayload(id: string): Promise<void> {
    await this.#parts.payloads.delete(id, 0).catch(() => undefined);
  }
}

function refused(why: Refusal): Taken {
  return { kind: 'refused', refusal: why, standing: undefined };
}

const storeAway = refusal(
  'store_unavailable',
  'The request cannot be taken in as a job at the moment. Try again.',
  { headers: { 'retry-after': '1' } },
);

const tooLarge = refusal('request_too_large', 'The request is too large to be taken in as a job.');

const refusals = {
  late: storeAway,
  mismatch: refusal(
    'idempotency_mismatch',
    'This Idempotency-Key was used for another request. A repeated request must have the same path and body.',
    { param: 'Idempotency-Key' },
  ),
  full_tenant: refusal('too_many_jobs', 'Too many jobs of this tenant are unfinished. Try again later.', {
    headers: { 'retry-after': '5' },
  }),
  full: refusal('job_queue_full', 'Too many jobs are unfinished. Try again later.', {
    headers: { 'retry-after': '5' },
  }),
} as const;
