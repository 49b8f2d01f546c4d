/** A request on its way through the door: taken in, or joined to the job that the same request has made before. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { limitsKeepChanging } from '../../admission/admission.ts';
import type { Config } from '../../config/schema.ts';
import { type Refusal, refusal } from '../../core/errors.ts';
import { isOver } from '../../core/job.ts';
import type { Principal } from '../../core/principal.ts';
import type { JobDoor, Taken } from '../../jobs/door.ts';
import type { HeldJobs } from '../../jobs/held-jobs.ts';
import type { HoldTable } from '../../redis/hold-table.ts';
import type { JobTable } from '../../redis/job-table.ts';
import type { Authentication } from '../authenticate.ts';
import { refusalOfError } from '../faults.ts';
import { badKey, idempotencyKeyOf } from '../idempotency-key.ts';
import { digestOf } from '../request-digest.ts';
import { type AnswerParts, answerAccepted } from './accepted.ts';
import { type HoldParts, hold } from './hold.ts';
import { pointerTo } from './job-pointer.ts';
import type { Subject } from './subject.ts';
import { type JobWish, priorityOf, wishOfTenant } from './wish.ts';

export interface TakeParts extends AnswerParts, HoldParts {
  readonly config: Pick<Config, 'jobs' | 'listen'>;
  readonly authentication: Pick<Authentication, 'anew'>;
  readonly jobs: AnswerParts['jobs'] &
    HoldParts['jobs'] & {
      readonly door: Pick<JobDoor, 'take'>;
      readonly held: Pick<HeldJobs, 'enter' | 'join' | 'leave' | 'over'>;
      readonly holds: Pick<HoldTable, 'promise' | 'remember' | 'recall'>;
      readonly table: Pick<JobTable, 'find'>;
    };
}

/** Limits change rarely; who changes them several times a second is not waited for. */
const TRIES_MAX = 4;
/** The official clients try again within seconds, and give up on a request after ten minutes. */
const REMEMBERED_MS = 900_000;

/** @param known the job that the same Idempotency-Key has made before */
export function takeIn(
  parts: TakeParts,
  request: FastifyRequest,
  reply: FastifyReply,
  subject: Subject,
  wish: JobWish,
  known?: string,
): void {
  const taking =
    known === undefined ? joinOrTake(parts, request, subject, wish) : found(parts, request, known);
  taking.then(
    (taken) => {
      if ('message' in taken) return parts.responder.refuse(request, reply, taken);
      conclude(parts, request, reply, subject, wish, taken);
    },
    (error) => parts.responder.refuse(request, reply, refusalOfError(error)),
  );
}

/** For a retry whose first try may be held as a job. @param next where there is none */
export function joinRetried(
  parts: TakeParts,
  request: FastifyRequest,
  reply: FastifyReply,
  subject: Subject,
  next: () => void,
): void {
  const { jobs } = request.call.principal as Principal;
  const wish = wishOfTenant('hold', jobs, subject.streamed) as JobWish;
  recalled(parts, request, fingerprintOf(request, subject)).then(
    (id) =>
      id === undefined ? next() : conclude(parts, request, reply, subject, wish, { id, isNew: false }),
    (error) => parts.responder.refuse(request, reply, refusalOfError(error)),
  );
}

interface Found {
  readonly id: string;
  readonly isNew: boolean;
}

function conclude(
  parts: TakeParts,
  request: FastifyRequest,
  reply: FastifyReply,
  subject: Subject,
  wish: JobWish,
  { id, isNew }: Found,
): void {
  const { call } = request;
  // From here on the key stands for the job.
  void request.once?.finish(pointerTo(id));
  request.once = null;
  call.job = id;
  call.isNewJob = isNew;
  call.preference = wish.applied;
  call.answeredFrom = 'job';
  if (wish.way === 'held') hold(parts, request, reply, subject, wish, { id, isNew });
  else answerAccepted(parts, request, reply, id);
}

async function joinOrTake(
  parts: TakeParts,
  request: FastifyRequest,
  subject: Subject,
  wish: JobWish,
): Promise<Found | Refusal> {
  const fingerprint = wish.way === 'held' ? fingerprintOf(request, subject) : undefined;
  const joined = fingerprint && isRetry(request) ? await recalled(parts, request, fingerprint) : undefined;
  if (joined !== undefined) return { id: joined, isNew: false };
  const key = idempotencyKeyOf(request.headers);
  if (key === 'bad') return badKey;
  const refused = await subject.complete();
  if (refused) return refused;
  const once = key === undefined ? undefined : { digest: digestOf(key), bodyDigest: subject.digest() };
  const taken = await take(parts, request, subject, wish, once);
  if (taken.kind === 'stale') return limitsKeepChanging;
  if (taken.kind === 'refused') return taken.refusal;
  // Whoever tries again because his connection was lost finds it.
  if (fingerprint) void parts.jobs.holds.remember(fingerprint, taken.id, REMEMBERED_MS);
  return { id: taken.id, isNew: taken.kind === 'accepted' };
}

async function take(
  { jobs, authentication }: TakeParts,
  request: FastifyRequest,
  subject: Subject,
  { way }: JobWish,
  once: { readonly digest: string; readonly bodyDigest: string } | undefined,
): Promise<Taken | { readonly kind: 'refused'; readonly refusal: Refusal }> {
  const { call, headers } = request;
  const priority = priorityOf(headers.priority);
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const principal = call.principal as Principal;
    const taken = await jobs.door.take({ principal, way, priority, once, ...subject.order() });
    if (taken.kind === 'accepted' || taken.kind === 'refused')
      call.standing = taken.standing ?? call.standing;
    if (taken.kind !== 'stale') return taken;
    const verdict = await authentication.anew(request);
    const refused = verdict.ok ? subject.renew(verdict.principal) : verdict.refusal;
    if (refused || !verdict.ok) return { kind: 'refused', refusal: refused as Refusal };
    call.principal = verdict.principal;
  }
  return { kind: 'stale' };
}

/** The official clients say which try it is. */
export function isRetry({ headers }: FastifyRequest): boolean {
  return Number(headers['x-stainless-retry-count']) > 0;
}

function fingerprintOf({ call }: FastifyRequest, subject: Subject): string {
  const { tenant, keyId } = call.principal as Principal;
  return digestOf(tenant, keyId, subject.digest());
}

/** The job that waits for this very request; what has failed is tried anew. */
async function recalled(
  { jobs }: TakeParts,
  { call }: FastifyRequest,
  fingerprint: string,
): Promise<string | undefined> {
  const remembered = await jobs.holds.recall(fingerprint);
  if (!remembered.ok || remembered.value === undefined) return undefined;
  const job = await jobs.table.find(remembered.value);
  if (!job.ok || job.value?.tenant !== (call.principal as Principal).tenant) return undefined;
  const { id, status } = job.value;
  return status === 'completed' || !isOver(status) ? id : undefined;
}

async function found({ jobs }: TakeParts, { call }: FastifyRequest, id: string): Promise<Found | Refusal> {
  const job = await jobs.table.find(id);
  if (!job.ok) return storeAway;
  if (job.value?.tenant !== (call.principal as Principal).tenant) return jobForgotten;
  return { id, isNew: false };
}

const jobForgotten = refusal(
  'idempotency_answer_gone',
  'The job that was made with this Idempotency-Key has ended, and is not kept any more.',
  { param: 'Idempotency-Key' },
);

const storeAway = refusal('store_unavailable', 'The jobs cannot be looked up at the moment. Try again.', {
  headers: { 'retry-after': '1' },
});
