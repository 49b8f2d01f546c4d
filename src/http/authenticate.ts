/** 401, 403, 503: who is calling, and does he show all that is demanded of him? */
import type { TLSSocket } from 'node:tls';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Verdict } from '../admission/authenticate.ts';
import { invalidKey } from '../admission/keys/key-refusals.ts';
import { presentedKey } from '../admission/presented-key.ts';
import { type AccessDemands, type AccessScope, unmetDemand, type WayIn } from '../core/access.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import type { Principal } from '../core/principal.ts';
import type { Step } from './exchange.ts';
import { refusalOfError } from './faults.ts';
import { wishOfCaller } from './jobs/wish.ts';
import { MODELS_PATH } from './models-route.ts';
import type { Responder } from './respond.ts';

/** A way in beside keys. */
export interface OtherWay {
  /**
   * Undefined: the request does not come this way, which for almost all has to be told by looking at one header.
   * @param nowMs wall clock
   */
  identify(request: FastifyRequest, nowMs: number): Verdict | Promise<Verdict> | undefined;
  /**
   * Whoever has come in this way with the same request, by records that are known to be old: asks Redis for them. What
   * counts once, such as a nonce, has been counted.
   */
  identifyAnew(request: FastifyRequest, nowMs: number): Promise<Verdict>;
}

export interface AuthenticateParts {
  readonly authenticator: {
    authenticate(presented: string | undefined, address: string, nowMs: number): Verdict | Promise<Verdict>;
    authenticateAnew(presented: string, address: string, nowMs: number): Promise<Verdict>;
  };
  /** Undefined: not configured. */
  readonly tokens?: OtherWay | undefined;
  readonly signatures?: OtherWay | undefined;
  readonly responder: Responder;
}

export interface Authentication {
  /** @param scope what the route is counted as */
  step(scope: AccessScope): Step;
  /** For a call of a model that has passed the step: its caller as he is now, if he still meets what is demanded. */
  anew(request: FastifyRequest): Promise<Verdict>;
}

export function createAuthentication(parts: AuthenticateParts): Authentication {
  const { responder } = parts;
  const { identify, identifyAnew } = waysIn(parts);

  const step = (scope: AccessScope, request: FastifyRequest, reply: FastifyReply, next: () => void) => {
    const nowMs = Date.now();
    const conclude = (verdict: Verdict) => {
      const refused = admit(request, scope, verdict, nowMs);
      if (refused) responder.refuse(request, reply, refused);
      else next();
    };
    const verdict = identify(request, nowMs);
    if (!(verdict instanceof Promise)) return conclude(verdict);
    verdict.then(conclude, (error) => responder.refuse(request, reply, refusalOfError(error)));
  };

  return {
    step: (scope) => (request, reply, next) => step(scope, request, reply, next),
    async anew(request) {
      const verdict = await identifyAnew(request, Date.now());
      const demands = verdict.ok ? verdict.principal.access : undefined;
      if (!verdict.ok || demands === undefined) return verdict;
      // Only calls of models come here: all other routes are answered by the record that let them in.
      const refused = refusalOfDemands(demands, verdict.principal, request, 'inference');
      return refused ? { ok: false, refusal: refused } : verdict;
    },
  };
}

/** From what a request brings to a principal: the ways in, one after the other. */
function waysIn({ authenticator, tokens, signatures }: AuthenticateParts) {
  return {
    identify(request: FastifyRequest, nowMs: number): Verdict | Promise<Verdict> {
      const { headers, call } = request;
      const signed = signatures?.identify(request, nowMs);
      if (signed) return came(request, 'signature', signed);
      const trusted = tokens?.identify(request, nowMs);
      if (trusted) return came(request, 'token', trusted);
      return authenticator.authenticate(presentedKey(headers), call.clientAddress, nowMs);
    },
    identifyAnew(request: FastifyRequest, nowMs: number): Promise<Verdict> {
      const { headers, call } = request;
      if (call.way === 'signature' && signatures) return signatures.identifyAnew(request, nowMs);
      if (call.way === 'token' && tokens) return tokens.identifyAnew(request, nowMs);
      return authenticator.authenticateAnew(presentedKey(headers) as string, call.clientAddress, nowMs);
    },
  };
}

/** Undefined: he may go on, and the call knows him. */
function admit(
  request: FastifyRequest,
  scope: AccessScope,
  verdict: Verdict,
  nowMs: number,
): Refusal | undefined {
  if (!verdict.ok) return verdict.refusal;
  const { principal } = verdict;
  if (principal.access !== undefined) {
    const refused = refusalOfDemands(principal.access, principal, request, scope);
    if (refused) {
      // For the log and the metrics: his key is good.
      if (refused.name === 'permission_denied') request.call.principal = principal;
      return refused;
    }
  }
  if (principal.use !== undefined) principal.use.lastAtMs = nowMs;
  request.call.principal = principal;
  return undefined;
}

function came<T>({ call }: FastifyRequest, way: WayIn, verdict: T): T {
  call.way = way;
  return verdict;
}

/**
 * A missing proof is answered like a wrong key, because it may be somebody else's; whoever has shown all proofs may know
 * that he must not do this, or not from here. What it was stands in the log.
 */
function refusalOfDemands(
  demands: AccessDemands,
  { keyId }: Principal,
  request: FastifyRequest,
  scope: AccessScope,
): Refusal | undefined {
  const shown = {
    way: request.call.way,
    address: request.call.clientAddress,
    hasCertificate: (request.raw.socket as Partial<TLSSocket>).authorized === true,
    scope,
  };
  const unmet =
    unmetDemand(demands, shown) ??
    (asksForJob(request, scope) ? unmetDemand(demands, { ...shown, scope: 'jobs' }) : undefined);
  if (unmet === undefined) return undefined;
  if (unmet.endsWith(' demanded')) return invalidKey(`${unmet} ${keyId}`);
  return refusal('permission_denied', 'This API key may not be used for this request.', {
    reason: `${unmet} ${keyId}`,
  });
}

/** The list of models cannot become a job, whatever is preferred. */
function asksForJob({ headers, call }: FastifyRequest, scope: AccessScope): boolean {
  if (scope !== 'inference' || headers.prefer === undefined) return false;
  return !call.route.startsWith(MODELS_PATH) && wishOfCaller(headers.prefer) !== undefined;
}
