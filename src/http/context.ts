import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Call } from '../core/call.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import type { Exchanges, Step } from './exchange.ts';
import type { Responder } from './respond.ts';

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

interface ContextOptions {
  readonly exchanges: Exchanges;
  readonly responder: Responder;
  /** The response has closed, finished or not. */
  readonly ended: (request: FastifyRequest, reply: FastifyReply, endedAtMs: number) => void;
}

/** First step: gives the request its id and its record, and sees to it that the end is noticed in every case. */
export function openCall({ exchanges, responder, ended }: ContextOptions): Step {
  return (request, reply, next) => {
    const { raw } = request;
    const incoming = raw.headers['x-request-id'];
    const call = new Call({
      requestId: typeof incoming === 'string' && REQUEST_ID.test(incoming) ? incoming : randomUUID(),
      method: request.method,
      route: request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown'),
      clientAddress: request.ip,
      startedAtMs: performance.now(),
    });
    request.call = call;
    exchanges.open({ call, response: reply.raw });
    // Fastify's onResponse does not fire when a client leaves in the middle of a stream; this does.
    reply.raw.once('close', () => {
      const nowMs = performance.now();
      exchanges.close(call, nowMs);
      ended(request, reply, nowMs);
    });
    const odd = oddRequest(raw);
    if (odd) responder.refuse(request, reply, odd);
    else next();
  };
}

/** Node and Fastify take these; proxies in front or behind may read them otherwise, which is how requests are smuggled. */
function oddRequest(raw: FastifyRequest['raw']): Refusal | undefined {
  if (raw.httpVersionMajor < 1) return refusal('bad_http', 'HTTP/0.9 is not supported.');
  if (raw.url === undefined || raw.url[0] !== '/') {
    return refusal('bad_http', 'The request target must be a path.');
  }
  if (hostHeaders(raw.rawHeaders) > 1) return refusal('bad_http', 'There is more than one Host header.');
  return undefined;
}

function hostHeaders(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}
