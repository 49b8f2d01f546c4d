/** What has to be there before a job may call a server: its request, its owner, a server, and a ticket. */
import { readEstimate } from '../admission/jobs/stored-estimate.ts';
import type { Reservation } from '../admission/settlement.ts';
import type { Ticket } from '../admission/tickets/ticket.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import { decodeJob, type JobSpec } from '../core/job-spec.ts';
import { isModelAllowed } from '../core/limits.ts';
import type { Prices } from '../core/money.ts';
import type { Principal } from '../core/principal.ts';
import { readTokenSubject } from '../core/token-subject.ts';
import type { ReadBody } from '../redis/packed-body.ts';
import type { Destination } from './destination.ts';
import type { Later } from './returns.ts';
import type { RunnerParts } from './run-parts.ts';
import type { RunningJob } from './running.ts';

export interface PreparedJob {
  readonly kind: 'ready';
  readonly spec: JobSpec;
  readonly body: Buffer;
  readonly principal: Principal;
  readonly destination: Destination;
  /** Whoever gets it closes, suspends or leaves it. */
  readonly ticket: Ticket;
}

type Prepared =
  | PreparedJob
  | { readonly kind: 'fail'; readonly refusal: Refusal; readonly spec?: JobSpec }
  | ({ readonly kind: 'later' } & Later);

/** Limits change rarely; who changes them several times a second is not waited for. */
const TRIES_MAX = 4;
const NO_SERVER_PAUSE_MS = 1_000;
const STORE_AWAY_PAUSE_MS = 1_000;
/** Other workers, with a newer configuration, may know the model. */
const UNKNOWN_MODEL_PARK_MS = 5_000;

export class JobPreparation {
  readonly #parts: RunnerParts;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  async prepare(running: RunningJob, request: ReadBody): Promise<Prepared> {
    const { principals, destinationOf } = this.#parts;
    const job = request.kind === 'whole' ? decodeJob(request.body) : undefined;
    if (!job) return { kind: 'fail', refusal: request.kind === 'whole' ? UNREADABLE : GONE };
    const { spec, body } = job;
    const owner = await principals.find(spec.tenant, spec.key_id, Date.now(), readTokenSubject(spec.subject));
    if (!owner.ok) return withoutOwner(owner.refusal, spec);
    const destination = destinationOf(spec);
    if (!destination) {
      return { kind: 'later', spec, reason: 'unknown_model', parkMs: UNKNOWN_MODEL_PARK_MS };
    }
    if (!this.#serves(destination)) {
      return { kind: 'later', spec, reason: 'no_server', pauseMs: NO_SERVER_PAUSE_MS };
    }
    return await this.#resume(running, { spec, body, destination }, owner.principal);
  }

  /** What was reserved for it, and from what. */
  reservation(spec: JobSpec, body: Buffer, prices: Prices): Reservation {
    const { model } = spec;
    if (spec.kind === 'pass_through') return { model, prices, estimate: undefined };
    const estimate = readEstimate(spec.estimate) ?? this.#estimateAnew(spec, body);
    return { model, prices, estimate };
  }

  #estimateAnew({ model, path }: JobSpec, body: Buffer) {
    const value = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
    return this.#parts.estimator.estimate(model, value, body.length, path);
  }

  #serves(destination: Destination): boolean {
    if (destination.kind === 'model') return this.#parts.router.serves(destination.model.pool);
    return destination.upstream.serverHealth.isUsable(performance.now());
  }

  async #resume(
    { jobId }: RunningJob,
    job: Pick<PreparedJob, 'spec' | 'body' | 'destination'>,
    known: Principal,
  ): Promise<Prepared> {
    const { tickets, principals } = this.#parts;
    const { spec } = job;
    let principal = known;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const refused = isAllowed(principal, spec) ? undefined : notAllowed(spec);
      if (refused) return { kind: 'fail', refusal: refused, spec };
      const result = await tickets.resume(principal, spec.model, spec.charge, jobId);
      if (result.kind === 'admitted') return { kind: 'ready', ...job, principal, ticket: result.ticket };
      if (result.kind === 'refused') {
        return { kind: 'later', spec, reason: 'limits', parkMs: result.waitMs };
      }
      if (result.kind === 'away') return storeAway(spec);
      const owner = await principals.findAnew(spec.tenant, spec.key_id, Date.now(), principal.subject);
      if (!owner.ok) return withoutOwner(owner.refusal, spec);
      principal = owner.principal;
    }
    return { kind: 'later', spec, reason: 'limits', parkMs: STORE_AWAY_PAUSE_MS };
  }
}

const GONE = refusal('internal_error', 'The request of the job is gone or damaged.');
const UNREADABLE = refusal('internal_error', 'The request of the job cannot be read by this release.');

function isAllowed({ ofKey, ofTenant }: Principal, { kind, model }: JobSpec): boolean {
  if (kind === 'pass_through') return true;
  return isModelAllowed(ofKey, model) && isModelAllowed(ofTenant, model);
}

function notAllowed({ model }: JobSpec): Refusal {
  return refusal('model_not_allowed', `This key may not use the model '${model}'.`, { param: 'model' });
}

function withoutOwner(refused: Refusal, spec: JobSpec): Prepared {
  return refused.name === 'store_unavailable' ? storeAway(spec) : { kind: 'fail', refusal: refused, spec };
}

/** The Redis of the limits: nothing begins without it. */
function storeAway(spec: JobSpec): Prepared {
  return { kind: 'later', spec, reason: 'store_unavailable', pauseMs: STORE_AWAY_PAUSE_MS };
}
