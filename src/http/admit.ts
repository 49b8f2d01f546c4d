import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Admission, limitsKeepChanging } from '../admission/admission.ts';
import type { Estimator } from '../admission/estimate/estimator.ts';
import { chargeOf, type Reservation, settlementAsReserved, settlementOf } from '../admission/settlement.ts';
import type { Ticket } from '../admission/tickets/ticket.ts';
import type { CallTrace } from '../core/call-trace.ts';
import type { Refusal } from '../core/errors.ts';
import type { Prices } from '../core/money.ts';
import type { Principal } from '../core/principal.ts';
import type { Model } from '../upstream/models.ts';
import type { Authentication } from './authenticate.ts';
import type { Inference, Step } from './exchange.ts';
import { refusalOfError } from './faults.ts';
import { checkAllowed } from './model-access.ts';
import { findModel, isSameList, type PrepareParts, prepare } from './prepare.ts';
import { reservationOf } from './reservation.ts';
import type { Responder } from './respond.ts';

export interface AdmitParts {
  readonly admission: Pick<Admission, 'admit'>;
  readonly estimator: Estimator;
  /** By pattern of the route. */
  readonly pricesOf: (path: string) => Prices;
  readonly authentication: Pick<Authentication, 'anew'>;
  readonly responder: Responder;
  /** What a call has cost could not be told, so its reservation stands. */
  readonly settlementFailed: (error: Error) => void;
}

/** Limits change rarely; who changes them several times a second is not waited for. */
const TRIES_MAX = 4;

/** Who may take a call that was refused at a limit. False: it is to be answered so. */
export type OverLimit = (request: FastifyRequest, reply: FastifyReply, refused: Refusal) => boolean;

/** 429, 503: may this call of a model run now? */
export function admitInference(parts: AdmitParts & PrepareParts, overLimit: OverLimit): Step {
  const all = { ...parts, overLimit };
  return (request, reply, next) => {
    const reservation = reservationOf(parts.estimator, request.inference as Inference & { model: Model });
    const reserveAnew: ReserveAnew = (principal, held) => {
      const { model, endpoint } = request.inference as Inference & { model: Model };
      const { policies } = request.call.principal as Principal;
      if (isSameList(policies, principal.policies)) return checkAllowed(principal, model) ?? held;
      // Whether the prompt still fits the context is left to the server.
      const refused = prepare(endpoint, parts, request, principal) ?? findModel(parts, request, principal);
      return refused ?? reservationOf(parts.estimator, request.inference as Inference & { model: Model });
    };
    admitCall(all, request, reply, reservation, reserveAnew, next);
  };
}

/** The same for a pass-through route, to which neither limits on tokens nor policies apply. */
export function admitPlain(parts: AdmitParts, path: string, overLimit: OverLimit): Step {
  const reservation = { model: path, prices: parts.pricesOf(path), estimate: undefined };
  const all = { ...parts, overLimit };
  return (request, reply, next) => admitCall(all, request, reply, reservation, (_, held) => held, next);
}

/** For a caller whose record has changed since the call began. */
type ReserveAnew = (principal: Principal, held: Reservation) => Reservation | Refusal;

function admitCall(
  parts: AdmitParts & { readonly overLimit: OverLimit },
  request: FastifyRequest,
  reply: FastifyReply,
  reservation: Reservation,
  reserveAnew: ReserveAnew,
  next: () => void,
): void {
  const refuse = (refused: Refusal) => parts.responder.refuse(request, reply, refused);
  const asked = askForTicket(parts, request, reservation, reserveAnew);
  if (request.call.trace !== undefined) timeAdmission(request.call.trace, asked);
  asked.then(
    (result) => {
      if (!('ticket' in result)) {
        if (!parts.overLimit(request, reply, result)) refuse(result);
        return;
      }
      settleWith(parts, request, result.reservation, result.ticket);
      // Its close event, which would have settled the call, has passed.
      if (reply.raw.destroyed) request.call.settle?.('unsent');
      else next();
    },
    (error) => refuse(refusalOfError(error)),
  );
}

function timeAdmission(trace: CallTrace, asked: Promise<unknown>): void {
  trace.admissionBeganAtMs = performance.now();
  const answered = () => {
    trace.admissionEndedAtMs = performance.now();
  };
  asked.then(answered, answered);
}

async function askForTicket(
  { admission, estimator, authentication }: AdmitParts,
  request: FastifyRequest,
  first: Reservation,
  reserveAnew: ReserveAnew,
): Promise<{ readonly ticket: Ticket; readonly reservation: Reservation } | Refusal> {
  const { call } = request;
  let reservation = first;
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const charge = chargeOf(reservation, estimator);
    const result = await admission.admit(call.principal as Principal, reservation.model, charge);
    if (result.kind === 'admitted' || result.kind === 'refused') call.standing = result.standing;
    if (result.kind === 'admitted') {
      call.isAdmittedLocally = result.isLocal;
      return { ticket: result.ticket, reservation };
    }
    if (result.kind === 'refused') return result.refusal;
    const verdict = await authentication.anew(request);
    if (!verdict.ok) return verdict.refusal;
    const anew = reserveAnew(verdict.principal, reservation);
    if (!('prices' in anew)) return anew;
    reservation = anew;
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
  call.settle = (how, record = call) => {
    call.settle = undefined;
    try {
      ticket.close(settlementOf(record, how, reservation, estimator, ticket.reserved));
    } catch (error) {
      settlementFailed(error as Error);
      ticket.close(settlementAsReserved(record, ticket.reserved));
    }
  };
}
