/** 401, 403, 503: who is calling, and does he show all that is demanded of him? */
import type { FastifyRequest } from 'fastify';
import type { Verdict } from '../admission/authenticate.ts';
import { presentedKey } from '../admission/presented-key.ts';
import type { Step } from './exchange.ts';
import { refusalOfError } from './faults.ts';
import type { Responder } from './respond.ts';

export interface AuthenticateParts {
  readonly authenticator: {
    authenticate(presented: string | undefined, address: string, nowMs: number): Verdict | Promise<Verdict>;
  };
  readonly responder: Responder;
}

export function authenticateStep({ authenticator, responder }: AuthenticateParts): Step {
  /** From what the request brings to a principal: the ways in, one after the other. */
  const identify = ({ headers, call }: FastifyRequest): Verdict | Promise<Verdict> =>
    authenticator.authenticate(presentedKey(headers), call.clientAddress, Date.now());

  return (request, reply, next) => {
    const conclude = (verdict: Verdict) => {
      if (!verdict.ok) return responder.refuse(request, reply, verdict.refusal);
      request.call.principal = verdict.principal;
      next();
    };
    const verdict = identify(request);
    if (!(verdict instanceof Promise)) return conclude(verdict);
    verdict.then(conclude, (error) => responder.refuse(request, reply, refusalOfError(error)));
  };
}
