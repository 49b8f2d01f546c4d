/** The way of a call of a model to a server of its pool, and to another one where that fails. */
import { type Refusal, refusal } from '../core/errors.ts';
import type { Route, Target } from './attempts.ts';
import type { Demand } from './demand.ts';
import type { Member } from './member.ts';
import type { Model } from './public-model.ts';
import type { Router } from './router.ts';
import type { Upstream } from './upstream.ts';

/** The call as that server shall get it. */
export type TargetOf = (model: Model, member: Member) => Target;

/** A call of a model that looks for a server. */
export interface Seeking {
  readonly model: Model;
  /** Calls of one number are better off with the same server; undefined: any will do. */
  readonly affinity: number | undefined;
  readonly tenant: string;
  /** Who waits longer where all servers are full: the lower. */
  readonly priority: number;
  /** `performance.now()`; it does not wait for a place beyond that. */
  readonly deadlineMs: number;
  readonly targetOf: TargetOf;
}

export interface Seeker {
  send(route: Route): void;
  refuse(refused: Refusal): void;
}

/**
 * A server of the model, now or when one has a place, or why there is none.
 * @returns to be called where the call that waits for a place is not to be sent any more; undefined: it does not wait
 */
export function seekPlace(
  router: Router,
  seeking: Seeking,
  { send, refuse }: Seeker,
): (() => void) | undefined {
  const { model, affinity } = seeking;
  const sendTo = (member: Member) => send(new CallRoute(router, seeking, member));
  const choice = router.choose(model.pool, affinity, []);
  if (choice === 'none') refuse(noServer(model));
  else if (choice === 'full') return waitForPlace(router, seeking, sendTo, refuse);
  else sendTo(choice.member);
  return undefined;
}

function waitForPlace(
  router: Router,
  { model, tenant, priority, deadlineMs }: Seeking,
  sendTo: (member: Member) => void,
  refuse: (refused: Refusal) => void,
): (() => void) | undefined {
  const entry = router.wait(model.pool, {
    priority,
    tenant,
    deadlineMs,
    admit: (upstream) => {
      const member = model.pool.members.find((one) => one.upstream === upstream);
      if (member) sendTo(member);
    },
    shed: (_why, retryAfterMs) => refuse(allBusy(model, retryAfterMs)),
  });
  if (entry.kind !== 'shed') return () => entry.leave();
  refuse(allBusy(model, entry.retryAfterMs));
  return undefined;
}

/** The servers of a pool, one after the other, each at most once. */
class CallRoute implements Route {
  readonly first: Target;
  readonly demand: Demand;
  readonly #router: Router;
  readonly #seeking: Seeking;
  readonly #tried: Upstream[] = [];

  constructor(router: Router, seeking: Seeking, member: Member) {
    const { pool } = seeking.model;
    this.#router = router;
    this.#seeking = seeking;
    this.first = this.#take(member);
    this.demand = router.demandOf(pool);
    router.budgetOf(pool).request();
  }

  another(): Target | undefined {
    const { model, affinity } = this.#seeking;
    const { pool } = model;
    const budget = this.#router.budgetOf(pool);
    if (this.#tried.length > 1) budget.retryFailed();
    const choice = this.#router.choose(pool, affinity, this.#tried);
    if (choice === 'none' || choice === 'full' || !budget.mayRetry()) return undefined;
    return this.#take(choice.member);
  }

  #take(member: Member): Target {
    this.#tried.push(member.upstream);
    return this.#seeking.targetOf(this.#seeking.model, member);
  }
}

function noServer(model: Model): Refusal {
  const message = `No server of the model '${model.name}' is available.`;
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
