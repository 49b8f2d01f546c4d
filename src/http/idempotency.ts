/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request runs once, and whoever repeats it gets the
 * answer of that once. Keys belong to the tenant; the path and the body must be the same, byte for byte.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OnceBegun, OnceHold, OnceRequests } from '../admission/once.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import type { Principal } from '../core/principal.ts';
import type { KeptAnswer } from '../redis/answer-table.ts';
import type { JsonBody } from './body.ts';
import type { Inference, Step } from './exchange.ts';
import { refusalOfError } from './faults.ts';
import { badKey, idempotencyKeyOf } from './idempotency-key.ts';
import type { Diversion } from './jobs/divert.ts';
import { jobOfPointer } from './jobs/job-pointer.ts';
import { digestOf } from './request-digest.ts';
import type { Responder } from './respond.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** A request that must run once, from when it has begun until its upstream call has it. */
    once: OnceHold | null;
  }
}

export interface IdempotencyParts {
  readonly once: Pick<OnceRequests, 'begin'>;
  readonly responder: Responder;
  readonly diversion: Pick<Diversion, 'isWanted' | 'rejoin'>;
  /** Answers with what a server has said before. */
  readonly replay: (request: FastifyRequest, reply: FastifyReply, answer: KeptAnswer) => void;
}

/** A client that waits as long as the request has been running comes back soon after short ones, and seldom. */
const WAIT_MS_MIN = 500;
const WAIT_MS_MAX = 30_000;
/** Acceptance takes milliseconds; a call that runs under this key may take minutes. */
const JOB_WAIT_MS = 40;
const JOB_WAITS_MAX = 10;

/** 400, 409, 422, 429, 503, or the stored answer, before admission and at no cost. */
export function idempotency(parts: IdempotencyParts): Step {
  return (request, reply, next) => {
    if (request.headers['idempotency-key'] === undefined) return next();
    const key = idempotencyKeyOf(request.headers) as string;
    const refuse = (refused: Refusal) => parts.responder.refuse(request, reply, refused);
    if (key === 'bad') return refuse(badKey);
    beginOrWait(parts, request, key).then(
      (begun) => {
        if ('message' in begun) return refuse(begun);
        if (begun.kind === 'begun') return proceed(request, reply, begun.held, next);
        if (begun.kind !== 'finished') return refuse(refusalOf(begun));
        if (!begun.answer) return refuse(answerGone);
        const job = jobOfPointer(begun.answer);
        if (job !== undefined) return parts.diversion.rejoin(request, reply, job);
        request.call.stored = { cache: undefined, ageSeconds: undefined, isReplayed: true };
        parts.replay(request, reply, begun.answer);
      },
      (error) => refuse(refusalOfError(error)),
    );
  };
}

/** Where the same request is just becoming a job, there is an answer in a moment. */
async function beginOrWait(
  parts: IdempotencyParts,
  request: FastifyRequest,
  key: string,
): Promise<OnceBegun | Refusal> {
  let begun = await begin(parts, request, key);
  if ('message' in begun || begun.kind !== 'running' || !parts.diversion.isWanted(request)) return begun;
  for (let waits = 0; waits < JOB_WAITS_MAX; waits += 1) {
    await pause(JOB_WAIT_MS);
    begun = await begin(parts, request, key);
    if ('message' in begun || begun.kind !== 'running') break;
  }
  return begun;
}

async function begin(
  { once }: IdempotencyParts,
  { call, inference, body }: FastifyRequest,
  key: string,
): Promise<OnceBegun | Refusal> {
  const { tenant } = call.principal as Principal;
  const { endpoint } = inference as Inference;
  const { bytes } = body as JsonBody;
  const answer = await once.begin(tenant, digestOf(key), digestOf(endpoint.path, bytes));
  return answer.ok ? answer.value : storeAway;
}

function proceed(request: FastifyRequest, reply: FastifyReply, held: OnceHold, next: () => void): void {
  // Its close event, which would have freed it, has passed.
  if (reply.raw.destroyed) return void held.free();
  request.once = held;
  next();
}

function refusalOf(begun: Exclude<OnceBegun, { kind: 'begun' | 'finished' }>): Refusal {
  if (begun.kind === 'mismatch') return mismatch;
  if (begun.kind === 'full') {
    const seconds = Math.ceil(begun.firstEndsInMs / 1_000);
    const message = `Too many requests with an Idempotency-Key are remembered; the first of them is forgotten in ${seconds} s.`;
    return refusal('idempotency_full', message);
  }
  const waitMs = Math.min(Math.max(begun.forMs, WAIT_MS_MIN), WAIT_MS_MAX);
  return refusal('idempotency_running', 'A request with this Idempotency-Key is still running. Try again.', {
    headers: { 'retry-after': String(Math.ceil(waitMs / 1_000)), 'retry-after-ms': String(waitMs) },
  });
}

const mismatch = refusal(
  'idempotency_mismatch',
  'This Idempotency-Key was used for another request. A repeated request must have the same path and body.',
  { param: 'Idempotency-Key' },
);

const answerGone = refusal(
  'idempotency_answer_gone',
  'The request with this Idempotency-Key has run, but its answer was too large to be kept.',
  { param: 'Idempotency-Key' },
);

const storeAway = refusal(
  'store_unavailable',
  'Whether this Idempotency-Key has been used cannot be told at the moment. Try again.',
  { headers: { 'retry-after': '1' } },
);
