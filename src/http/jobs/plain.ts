/** Calls of a pass-through route that become jobs: as the caller or, over a limit, the tenant prefers. */
import type { FastifyRequest } from 'fastify';
import { chargeOf, type Reservation } from '../../admission/settlement.ts';
import type { RouteConfig } from '../../config/schema.ts';
import type { Principal } from '../../core/principal.ts';
import type { Limits } from '../../upstream/watchdog.ts';
import type { AdmitParts, OverLimit } from '../admit.ts';
import type { Step } from '../exchange.ts';
import { digestOf } from '../request-digest.ts';
import { wishOverLimit } from './divert.ts';
import type { Subject } from './subject.ts';
import { type TakeParts, takeIn } from './take.ts';
import { wishOfCaller } from './wish.ts';

type PlainParts = TakeParts & Pick<AdmitParts, 'estimator' | 'pricesOf'>;

/** @param limitsOf the time limits of a call of the route */
export function plainDiversion(
  parts: PlainParts,
  route: RouteConfig,
  limitsOf: () => Limits,
): { readonly step: Step; readonly overLimit: OverLimit } {
  const reservation = { model: route.path, prices: parts.pricesOf(route.path), estimate: undefined };
  const subject = (request: FastifyRequest) => plainSubject(parts, request, route, reservation, limitsOf());
  return {
    step: (request, reply, next) => {
      const { prefer } = request.headers;
      const wish = prefer === undefined ? undefined : wishOfCaller(prefer);
      if (wish) takeIn(parts, request, reply, subject(request), wish);
      else next();
    },
    overLimit(request, reply, refused) {
      const wish = wishOverLimit(request.call.principal as Principal, refused);
      if (wish) takeIn(parts, request, reply, subject(request), wish);
      return wish !== undefined;
    },
  };
}

function plainSubject(
  { estimator }: PlainParts,
  request: FastifyRequest,
  { path }: RouteConfig,
  reservation: Reservation,
  limits: Limits,
): Subject {
  const { call, headers, url } = request;
  const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
  const queryAt = url.indexOf('?');
  const query = queryAt < 0 ? '' : url.slice(queryAt + 1);
  return {
    streamed: false,
    model: path,
    limits,
    shape: { kind: 'plain' },
    order: () => ({
      body,
      spec: {
        kind: 'pass_through',
        tenant: (call.principal as Principal).tenant,
        key_id: (call.principal as Principal).keyId,
        request_id: call.requestId,
        method: request.method,
        path,
        query,
        content_type: headers['content-type'] ?? null,
        accept: headers.accept ?? null,
        model: path,
        requested_model: null,
        version: null,
        line: path,
        streamed: false,
        asks_for_usage: false,
        suffix: null,
        estimate: null,
        charge: chargeOf(reservation, estimator),
        affinity: null,
        created_at_ms: Date.now(),
        traceparent: call.trace?.traceparent,
        tracestate: call.trace?.state,
        subject: (call.principal as Principal).subject,
      },
    }),
    renew: () => undefined,
    complete: async () => undefined,
    digest: () => digestOf(request.method, path, query, body),
  };
}
