/** Finds a server for a call of a model, waits for a place where all are full, and hands the call over. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Refusal, refusal } from '../core/errors.ts';
import type { Principal } from '../core/principal.ts';
import type { Route } from '../upstream/attempts.ts';
import { affinityHash } from '../upstream/choice/affinity-key.ts';
import type { Member } from '../upstream/member.ts';
import type { Model } from '../upstream/models.ts';
import type { RelayTarget } from '../upstream/relay.ts';
import type { Router } from '../upstream/router.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { hashOf } from '../upstream/version-choice.ts';
import type { Exchanges, Inference } from './exchange.ts';
import { forward } from './forward.ts';
import { checkAllowed } from './model-access.ts';
import type { Responder } from './respond.ts';

interface DispatchParts {
  readonly router: Router;
  readonly exchanges: Exchanges;
  readonly responder: Responder;
}

type TargetOf = (model: Model, member: Member) => RelayTarget;

/** @param targetOf the request as that server shall get it */
export function dispatch(
  parts: DispatchParts,
  request: FastifyRequest,
  reply: FastifyReply,
  targetOf: TargetOf,
): void {
  const { router, responder } = parts;
  const { endpoint, body, model: wanted } = request.inference as Inference & { model: Model };
  const model = servingModel(router, request, wanted);
  const { pool } = model;
  // One server is the warmest there is.
  const affinity =
    pool.members.length > 1 && pool.choice === 'affinity'
      ? affinityHash(endpoint.path, body.value, request.headers, pool.sessionHeaders)
      : undefined;
  const send = (member: Member) => {
    const route = new CallRoute(router, model, affinity, member, targetOf);
    const limits = model.timeouts;
    forward(parts, request, reply, { route, limits, replayable: true });
  };
  const choice = router.choose(pool, affinity, []);
  if (choice === 'none') return responder.refuse(request, reply, noServer(model));
  if (choice === 'full') return waitForPlace(parts, request, reply, model, send);
  send(choice.member);
}

/** Where no server of the model is well, one that stands in for it and that the key may use. */
function servingModel(router: Router, { call }: FastifyRequest, model: Model): Model {
  if (router.serves(model.pool)) return model;
  const principal = call.principal as Principal;
  for (const fallback of model.fallbacks(hashOf(principal.keyId), Math.random)) {
    if (router.serves(fallback.pool) && !checkAllowed(principal, fallback)) return fallback;
  }
  return model;
}

function waitForPlace(
  { router, responder }: DispatchParts,
  request: FastifyRequest,
  reply: FastifyReply,
  model: Model,
  send: (member: Member) => void,
): void {
  const { tenant, priority } = request.call.principal as Principal;
  const refuse = (retryAfterMs: number) => responder.refuse(request, reply, allBusy(model, retryAfterMs));
  const entry = router.wait(model.pool, {
    priority,
    tenant,
    deadlineMs: request.call.startedAtMs + model.timeouts.total_ms,
    admit: (upstream) => {
      const member = model.pool.members.find((one) => one.upstream === upstream);
      if (member) send(member);
    },
    shed: (_why, retryAfterMs) => refuse(retryAfterMs),
  });
  if (entry.kind === 'shed') refuse(entry.retryAfterMs);
  else reply.raw.once('close', () => entry.leave());
}

/** The servers of a pool, one after the other, each at most once. */
class CallRoute implements Route<RelayTarget> {
  readonly first: RelayTarget;
  readonly #router: Router;
  readonly #model: Model;
  readonly #affinity: number | undefined;
  readonly #targetOf: TargetOf;
  readonly #tried: Upstream[] = [];

  constructor(
    router: Router,
    model: Model,
    affinity: number | undefined,
    member: Member,
    targetOf: TargetOf,
  ) {
    this.#router = router;
    this.#model = model;
    this.#affinity = affinity;
    this.#targetOf = targetOf;
    this.first = this.#take(member);
    router.budgetOf(model.pool).request();
  }

  another(): RelayTarget | undefined {
    const { pool } = this.#model;
    const budget = this.#router.budgetOf(pool);
    if (this.#tried.length > 1) budget.retryFailed();
    const choice = this.#router.choose(pool, this.#affinity, this.#tried);
    if (choice === 'none' || choice === 'full' || !budget.mayRetry()) return undefined;
    return this.#take(choice.member);
  }

  #take(member: Member): RelayTarget {
    this.#tried.push(member.upstream);
    return this.#targetOf(this.#model, member);
  }
}

function noServer(model: Model): Refusal {
  const message = `The model '${model.name}' has no server.`;
  return refusal('upstream_unavailable', message, { headers: { 'retry-after': '1' } });
}

function allBusy(model: Model, retryAfterMs: number): Refusal {
  return refusal('overloaded', `All servers of the model '${model.name}' are busy. Try again later.`, {
    headers: {
      'retry-after': String(Math.ceil(retryAfterMs / 1_000)),
      'retry-after-ms': String(Math.ceil(retryAfterMs)),
    },
  });
}
