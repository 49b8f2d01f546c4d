import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Admission, limitsKeepChanging } from '../admission/admission.ts';
import type { Estimator } from '../admission/estimate/estimator.ts';
import { presentedKey } from '../admission/presented-key.ts';
import { chargeOf, type Reservation, settlementAsReserved, settlementOf } from '../admission/settlement.ts';
import type { Ticket } from '../admission/tickets/ticket.ts';
import type { Verdict } from '../admission/verdict.ts';
import type { Refusal } from '../core/errors.ts';
import type { Prices } from '../core/money.ts';
import type { Principal } from '../core/principal.ts';
import type { Model } from '../upstream/models.ts';
import type { Inference, Step } from './exchange.ts';
import { refusalOfError } from './faults.ts';
import { checkAllowed } from './model-access.ts';
import type { Responder } from './respond.ts';

export interface AdmitParts {
  readonly admission: Pick<Admission, 'admit'>;
  readonly estimator: Estimator;
  /** By pattern of the route. */
  readonly pricesOf: (path: string) => Prices;
  readonly authenticator: {
    /** Asks Redis, although the key is known. */
    authenticateAnew(presented: string, address: string, nowMs: number): Promise<Verdict>;
  };
  readonly responder: Responder;
  /** What a call has cost could not be told, so its reservation stands. */
  readonly settlementFailed: (error: Error) => void;
}

/** Limits change rarely; who changes them several times a second is not waited for. */
const TRIES_MAX = 4;

/** 429, 503: may this call of a model run now? */
export function admitInference(parts: AdmitParts): Step {
  return (request, reply, next) => {
    const inference = request.inference as Inference & { model: Model };
    const { model, body, endpoint } = inference;
    const { name, prices } = model;
    const estimate =
      inference.estimate ?? parts.estimator.estimate(name, body.value, body.bytes.length, endpoint.path);
    const isAllowed = (principal: Principal) => checkAllowed(principal, model);
    admitCall(parts, request, reply, { model: name, prices, estimate }, isAllowed, next);
  };
}

/** The same for a pass-through route, to which limits on tokens do not apply. */
export function admitPlain(parts: AdmitParts, path: string): Step {
  const reservation = { model: path, prices: parts.pricesOf(path), estimate: undefined };
  return (request, reply, next) => admitCall(parts, request, reply, reservation, () => undefined, next);
}

type IsAllowed = (principal: Principal) => Refusal | undefined;

function admitCall(
  parts: AdmitParts,
  request: FastifyRequest,
  reply: FastifyReply,
  reservation: Reservation,
  isAllowed: IsAllowed,
  next: () => void,
): void {
  const refuse = (refused: Refusal) => parts.responder.refuse(request, reply, refused);
  askForTicket(parts, request, reservation, isAllowed).then(
    (result) => {
      if (!('ticket' in result)) return refuse(result);
      settleWith(parts, request, reservation, result.ticket);
      // Its close event, which would have settled the call, has passed.
      if (reply.raw.destroyed) request.call.settle?.('unsent');
      else next();
    },
    (error) => refuse(refusalOfError(error)),
  );
}

async function askForTicket(
  { admission, estimator, authenticator }: AdmitParts,
  request: FastifyRequest,
  reservation: Reservation,
  isAllowed: IsAllowed,
): Promise<{ readonly ticket: Ticket } | Refusal> {
  const { call } = request;
  const charge = chargeOf(reservation, estimator);
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const result = await admission.admit(call.principal as Principal, reservation.model, charge);
    if (result.kind === 'admitted' || result.kind === 'refused') call.standing = result.standing;
    if (result.kind === 'admitted') return result;
    if (result.kind === 'refused') return result.refusal;
    const presented = presentedKey(request.headers) as string;
    const verdict = await authenticator.authenticateAnew(presented, call.clientAddress, Date.now());
    if (!verdict.ok) return verdict.refusal;
    const refused = isAllowed(verdict.principal);
    if (refused) return refused;
    call.principal = verdict.principal;
  }
  return limitsKeepChanging;
}

/** A mistake of ours must not keep a slot for ever: heartbeats would hold it as long as this process lives. */
function settleWith(
  { estimator, settlementFailed }: AdmitParts,
  { call }: FastifyRequest,
  reservation: Reservation,
  ticket: Ticket,
): void {
  call.settle = (how) => {
    call.settle = undefined;
    try {
      ticket.close(settlementOf(call, how, reservation, estimator, ticket.reserved));
    } catch (error) {
      settlementFailed(error as Error);
      ticket.close(settlementAsReserved(call, ticket.reserved));
    }
  };
}
