/**
 * The step at which a request becomes a job instead of a call: because its caller prefers that, because it is too large
 * to be answered at once, or because a limit is reached and its tenant would rather wait than be refused.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Refusal } from '../../core/errors.ts';
import type { Principal } from '../../core/principal.ts';
import type { Model } from '../../upstream/models.ts';
import type { Inference, Step } from '../exchange.ts';
import { OversizeRules, oversizeOf } from './oversize.ts';
import { inferenceSubject, type SubjectParts } from './subject.ts';
import { isRetry, joinRetried, type TakeParts, takeIn } from './take.ts';
import { type JobWish, oversized, wishOfCaller, wishOfTenant } from './wish.ts';

export type DivertParts = TakeParts & SubjectParts;

export interface Diversion {
  /** 413, 429, 503, 202, or the answer when its turn has come; or the next step. */
  readonly step: Step;
  /** A call that was refused at a limit. False: it is to be answered so. */
  overLimit(request: FastifyRequest, reply: FastifyReply, refused: Refusal): boolean;
  /** The request would become a job by itself. */
  isWanted(request: FastifyRequest): boolean;
  /** The same request has made this job before. */
  rejoin(request: FastifyRequest, reply: FastifyReply, jobId: string): void;
}

export function diversion(parts: DivertParts): Diversion {
  const rules = new OversizeRules(parts.config.jobs.oversize);

  const wishOf = (request: FastifyRequest): JobWish | Refusal | undefined => {
    const wish = request.headers.prefer === undefined ? undefined : wishOfCaller(request.headers.prefer);
    if (wish) return wish;
    const inference = request.inference as Inference & { model: Model };
    const { model, endpoint, body } = inference;
    const { jobs, oversizeRule } = request.call.principal as Principal;
    const rule = rules.of(model.name, parts.live(), oversizeRule);
    if (!rule) return undefined;
    inference.estimate ??= parts.estimator.estimate(model.name, body.value, body.bytes.length, endpoint.path);
    const why = oversizeOf(rule, inference.estimate, body.bytes.length);
    if (why === undefined) return undefined;
    return wishOfTenant(jobs.oversize, jobs, inference.streamed) ?? oversized(why);
  };

  const take = (request: FastifyRequest, reply: FastifyReply, wish: JobWish, known?: string) =>
    takeIn(parts, request, reply, inferenceSubject(parts, request, reply), wish, known);

  return {
    step: (request, reply, next) => {
      const wish = wishOf(request);
      const { jobs } = request.call.principal as Principal;
      if (!wish) {
        // What was held for a limit is joined, although by now there might be room for a second one.
        const held = jobs.over_limit === 'hold' && isRetry(request);
        if (held) joinRetried(parts, request, reply, inferenceSubject(parts, request, reply), next);
        else next();
      } else if ('message' in wish) parts.responder.refuse(request, reply, wish);
      else take(request, reply, wish);
    },
    overLimit(request, reply, refused) {
      const wish = wishOverLimit(request.call.principal as Principal, refused, request.inference?.streamed);
      if (wish) take(request, reply, wish);
      return wish !== undefined;
    },
    isWanted: (request) => wishOf(request) !== undefined,
    rejoin(request, reply, jobId) {
      const wish = wishOf(request);
      const isWish = wish && !('message' in wish);
      const { jobs } = request.call.principal as Principal;
      const usual = wishOfTenant(jobs.over_limit, jobs, request.inference?.streamed ?? false);
      take(request, reply, isWish ? wish : (usual ?? AT_ONCE), jobId);
    },
  };
}

/** Undefined: the tenant wants the refusal. A quota does not come back by waiting. */
export function wishOverLimit({ jobs }: Principal, { name }: Refusal, streamed = false): JobWish | undefined {
  if (jobs.over_limit === 'reject' || name !== 'rate_limit_exceeded') return undefined;
  return wishOfTenant(jobs.over_limit, jobs, streamed);
}

const AT_ONCE: JobWish = { way: 'async', waitMs: undefined, applied: undefined };
