/**
 * Requests that a GPU server need not answer each: those for which the cache may have an answer, or an equal one is
 * under way, and those with an `Idempotency-Key`, whose answer is kept for who repeats them.
 */
import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config/schema.ts';
import type { Principal } from '../core/principal.ts';
import type { FoundAnswer } from '../redis/answer-table.ts';
import type { AnswerShape, SharedEnd } from '../upstream/answer-source.ts';
import type { TargetOf } from '../upstream/call-route.ts';
import type { Model } from '../upstream/models.ts';
import { dispatch } from './dispatch.ts';
import type { Inference } from './exchange.ts';
import { refusalOfError } from './faults.ts';
import { type CachePlan, type CacheResult, cachePlan, type ResponseCache } from './response-cache.ts';
import { dispatchShared, playStored, type ShareParts } from './share.ts';

export interface EqualParts extends ShareParts {
  readonly cache: ResponseCache;
  readonly config: Pick<Config, 'idempotency'>;
  readonly cacheAsked: (result: CacheResult) => void;
}

/** How the request goes to a server, and its answer to the caller. */
export interface Passage {
  readonly targetOf: TargetOf;
  shapeOf(model: Model, upstreamModel: string): AnswerShape;
  /** Images were fetched into the body: who names them by the same address may get others. */
  readonly rewritten: boolean;
}

/** Is there more to do for this request than to send it to a server? */
export function isEqualRequest({ inference, once }: FastifyRequest): boolean {
  return inference?.model?.cacheMs !== undefined || once !== null;
}

export function answerEqual(
  parts: EqualParts,
  request: FastifyRequest,
  reply: FastifyReply,
  passage: Passage,
): void {
  const { call, headers } = request;
  const inference = request.inference as Inference & { model: Model };
  const { tenant } = call.principal as Principal;
  const plan = passage.rewritten ? undefined : cachePlan(inference, headers['cache-control']);
  if (!plan) return ask(parts, request, reply, passage, undefined);
  // A call waits for a lost Redis once.
  if (call.isAdmittedLocally) return ask(parts, request, reply, passage, { plan, isAway: true });
  parts.cache.read(tenant, plan).then(
    (found) => {
      // The caller has left, and his ticket is closed.
      if (reply.raw.destroyed) return;
      if (typeof found !== 'string') return play(parts, request, reply, passage, found);
      ask(parts, request, reply, passage, { plan, isAway: found === 'away' });
    },
    (error) => parts.responder.refuse(request, reply, refusalOfError(error)),
  );
}

function play(
  parts: EqualParts,
  request: FastifyRequest,
  reply: FastifyReply,
  { shapeOf }: Passage,
  { answer, ageMs }: FoundAnswer,
): void {
  const { model } = request.inference as Inference & { model: Model };
  parts.cacheAsked('hit');
  request.call.stored = { cache: 'hit', ageSeconds: Math.floor(ageMs / 1_000), isReplayed: false };
  void request.once?.finish(answer);
  const shape = shapeOf(model, answer.upstreamModel);
  playStored(parts, request, reply, answer, { shape, limits: model.timeouts });
}

interface Asking {
  readonly plan: CachePlan;
  readonly isAway: boolean;
}

function ask(
  parts: EqualParts,
  request: FastifyRequest,
  reply: FastifyReply,
  passage: Passage,
  asking: Asking | undefined,
): void {
  const { call, once } = request;
  const { model } = request.inference as Inference & { model: Model };
  const hasCache = model.cacheMs !== undefined;
  const result = asking && !asking.isAway ? 'miss' : 'bypass';
  if (hasCache) call.stored = { cache: result, ageSeconds: undefined, isReplayed: false };
  if (!asking && !once) {
    parts.cacheAsked('bypass');
    return dispatch(parts, request, reply, passage.targetOf);
  }
  // From here on the upstream call has it.
  request.once = null;
  const { targetOf, ended } = watched(parts, request, passage, asking?.plan, once);
  dispatchShared(parts, request, reply, targetOf, {
    key: keyOf(request, asking?.plan, once !== null),
    kept: once !== null,
    bytesMax: Math.max(
      asking ? parts.cache.answerBytesMax : 0,
      once ? parts.config.idempotency.answer_bytes_max : 0,
    ),
    shapeOf: passage.shapeOf,
    ended,
  });
  if (hasCache) parts.cacheAsked(call.answeredFrom === 'shared' ? 'shared' : result);
}

/** Who wants a new answer, or one of his own that is remembered, joins nobody. */
function keyOf({ call }: FastifyRequest, plan: CachePlan | undefined, isOnce: boolean): string {
  const { tenant } = call.principal as Principal;
  return !plan || isOnce || plan.ageMsMax === 0 ? randomUUID() : `${tenant} ${plan.digest}`;
}

/** Brings the answer to where it is kept, once it is whole. */
function watched(
  { cache }: EqualParts,
  { call, inference }: FastifyRequest,
  passage: Passage,
  plan: CachePlan | undefined,
  once: FastifyRequest['once'],
): { targetOf: TargetOf; ended: (end: SharedEnd) => void } {
  const { tenant } = call.principal as Principal;
  let isOfModel = false;
  return {
    targetOf: (model, member) => {
      // What a fallback model has said is no answer of this one.
      isOfModel = model === inference?.model;
      return passage.targetOf(model, member);
    },
    ended: (end) => {
      const isFirst = call.answeredFrom === 'upstream';
      if (plan && isOfModel && isFirst && end.kind === 'whole') void cache.keep(tenant, plan, end.answer);
      if (end.kind === 'failed') void once?.free();
      else void once?.finish('answer' in end ? end.answer : undefined);
    },
  };
}
