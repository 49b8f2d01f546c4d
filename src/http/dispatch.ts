/** Finds a server for a call of a model, waits for a place where all are full, and hands the call over. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Refusal } from '../core/errors.ts';
import type { Principal } from '../core/principal.ts';
import { Attempts, type Route } from '../upstream/attempts.ts';
import { type Seeker, seekPlace, type TargetOf } from '../upstream/call-route.ts';
import { affinityHash } from '../upstream/choice/affinity-key.ts';
import type { Model } from '../upstream/models.ts';
import type { Router } from '../upstream/router.ts';
import { hashOf } from '../upstream/version-choice.ts';
import type { Exchanges, Inference } from './exchange.ts';
import { forward } from './forward.ts';
import { checkAllowed } from './model-access.ts';
import type { Responder } from './respond.ts';

export interface DispatchParts {
  readonly router: Router;
  readonly exchanges: Exchanges;
  readonly responder: Responder;
}

/** @param targetOf the request as that server shall get it */
export function dispatch(
  parts: DispatchParts,
  request: FastifyRequest,
  reply: FastifyReply,
  targetOf: TargetOf,
): void {
  const model = servingModel(parts.router, request);
  const refuse = (refused: Refusal) => parts.responder.refuse(request, reply, refused);
  const send = (route: Route) => {
    const { timeouts: limits } = model;
    const { call } = request;
    const source = new Attempts({ call, route, connectTimeoutMs: limits.connect_ms, replayable: true });
    forward(parts, request, reply, { source, limits });
  };
  const leave = findPlace(parts.router, request, model, targetOf, { send, refuse });
  if (leave) reply.raw.once('close', leave);
}

/**
 * A server of the model, now or when one has a place, or why there is none.
 * @returns to be called where the call that waits for a place is not to be sent any more; undefined: it does not wait
 */
export function findPlace(
  router: Router,
  request: FastifyRequest,
  model: Model,
  targetOf: TargetOf,
  seeker: Seeker,
): (() => void) | undefined {
  const { endpoint, body } = request.inference as Inference;
  const { pool } = model;
  // One server is the warmest there is.
  const affinity =
    pool.members.length > 1 && pool.choice === 'affinity'
      ? affinityHash(endpoint.path, body.value, request.headers, pool.sessionHeaders)
      : undefined;
  const { tenant, priority } = request.call.principal as Principal;
  const deadlineMs = request.call.startedAtMs + model.timeouts.total_ms;
  return seekPlace(router, { model, affinity, tenant, priority, deadlineMs, targetOf }, seeker);
}

/** Where no server of the model is well, one that stands in for it and that the key may use. */
export function servingModel(router: Router, { call, inference }: FastifyRequest): Model {
  const model = inference?.model as Model;
  if (router.serves(model.pool)) return model;
  const principal = call.principal as Principal;
  for (const fallback of model.fallbacks(hashOf(principal.keyId), Math.random)) {
    if (router.serves(fallback.pool) && !checkAllowed(principal, fallback)) return fallback;
  }
  return model;
}
