/** Calls that one upstream call answers together, and calls that a stored answer answers. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Call } from '../core/call.ts';
import type { Principal } from '../core/principal.ts';
import type { AnswerShape, SharedEnd, StoredAnswer } from '../upstream/answer-source.ts';
import type { Target } from '../upstream/attempts.ts';
import type { TargetOf } from '../upstream/call-route.ts';
import type { Model } from '../upstream/models.ts';
import type { SharedCall } from '../upstream/shared/shared-call.ts';
import type { SharedCalls } from '../upstream/shared/shared-calls.ts';
import { StoredAnswerSource } from '../upstream/stored-answer.ts';
import type { Limits } from '../upstream/watchdog.ts';
import { type DispatchParts, findPlace, servingModel } from './dispatch.ts';
import { forward } from './forward.ts';
import { checkAllowed } from './model-access.ts';

export interface ShareParts extends DispatchParts {
  readonly shared: SharedCalls;
}

export interface Sharing {
  /** Calls with the same are answered together: the tenant, and all that the answer depends on, are part of it. */
  readonly key: string;
  /** The call goes on although nobody listens any more, within the time limits of its model. */
  readonly kept: boolean;
  /** How much of an answer is held, for those who come later and for `ended`. */
  readonly bytesMax: number;
  /** How an answer of that model is mapped for this caller. */
  shapeOf(model: Model, upstreamModel: string): AnswerShape;
  /** Told once how the upstream call has ended, whether or not this caller is still there. */
  readonly ended?: ((end: SharedEnd) => void) | undefined;
}

/** Like `dispatch`, but where an equal call is under way this one listens to its answer. The first one pays. */
export function dispatchShared(
  parts: ShareParts,
  request: FastifyRequest,
  reply: FastifyReply,
  targetOf: TargetOf,
  sharing: Sharing,
): void {
  const running = parts.shared.find(sharing.key);
  // A fallback model may stand in for the one that this key may use.
  if (!running || checkAllowed(request.call.principal as Principal, running.model)) {
    return lead(parts, request, reply, targetOf, sharing);
  }
  const { call } = request;
  call.answeredFrom = 'shared';
  listen(parts, request, reply, running, sharing, ({ upstream }) => {
    call.upstream = upstream.name;
  });
}

/** Answers with what a GPU server has said before. It costs nothing but the request, if it was admitted. */
export function playStored(
  parts: ShareParts,
  request: FastifyRequest,
  reply: FastifyReply,
  answer: StoredAnswer,
  { shape, limits }: { readonly shape: AnswerShape; readonly limits: Limits },
): void {
  request.call.answeredFrom = 'cache';
  request.call.upstream = answer.upstream;
  const source = new StoredAnswerSource(answer, shape, parts.shared.watch);
  forward(parts, request, reply, { source, limits });
}

function lead(
  parts: ShareParts,
  request: FastifyRequest,
  reply: FastifyReply,
  targetOf: TargetOf,
  sharing: Sharing,
): void {
  const { call } = request;
  const { settle } = call;
  // The ticket is closed when the upstream call is over, whatever has become of this caller by then.
  call.settle = undefined;
  let observe: (() => void) | undefined;
  call.whenOver = (act) => {
    observe = act;
  };
  let leaveRoom: (() => void) | undefined;
  const record = recordOf(call);
  const model = servingModel(parts.router, request);
  const shared = parts.shared.open(sharing.key, {
    record,
    model,
    limits: model.timeouts,
    bytesMax: sharing.bytesMax,
    over: (how) => {
      leaveRoom?.();
      record.unheard = reply.raw.destroyed && !reply.raw.writableFinished;
      call.adopt(record);
      settle?.(how, record);
      call.whenOver = undefined;
      observe?.();
    },
  });
  listen(parts, request, reply, shared, sharing, () => call.adopt(record));
  // The caller may have left already.
  if (shared.isOver) return;
  leaveRoom = findPlace(parts.router, request, model, targetOf, {
    send: (route) => shared.begin(route),
    refuse: (refused) => shared.breakOff(refused),
  });
}

function listen(
  parts: ShareParts,
  request: FastifyRequest,
  reply: FastifyReply,
  shared: SharedCall,
  { kept, shapeOf, ended }: Sharing,
  onAnswer: (by: Target) => void,
): void {
  const source = shared.join({
    kept,
    ended,
    shapeOf: (target) => {
      onAnswer(target);
      return shapeOf(shared.model, target.shape.kind === 'openai' ? target.shape.upstreamModel : '');
    },
  });
  forward(parts, request, reply, { source, limits: shared.limits });
}

/** Of the upstream call, begun from what is known of the one that pays for it. */
function recordOf(call: Call): Call {
  const record = new Call(call);
  record.principal = call.principal;
  record.model = call.model;
  record.version = call.version;
  record.trace = call.trace;
  return record;
}
