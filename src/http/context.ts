import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Call } from '../core/call.ts';
import { type Tracer, traceOf } from '../core/call-trace.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import type { Exchanges, Step } from './exchange.ts';
import type { Responder } from './respond.ts';

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

interface ContextOptions {
  readonly exchanges: Exchanges;
  readonly responder: Responder;
  /** Undefined: what a caller says of his trace is passed on, and no more. */
  readonly tracer?: Tracer | undefined;
  /** The response has closed, finished or not. */
  readonly ended: (request: FastifyRequest, reply: FastifyReply, endedAtMs: number) => void;
}

/** First step: gives the request its id and its record, and sees to it that the end is noticed in every case. */
export function openCall({ exchanges, responder, tracer, ended }: ContextOptions): Step {
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
    const { traceparent, tracestate } = raw.headers;
    if (tracer !== undefined || traceparent !== undefined)
      call.trace = traceOf(tracer, traceparent, tracestate);
    request.call = call;
    exchanges.open({ call, request, reply, response: reply.raw });
    // Fastify's onResponse does not fire when a client leaves in the middle of a stream; this does.
    reply.raw.on('close', () => {
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
  if (raw.httpVersionMajor !== 1) return bad('This listener speaks HTTP/1.1.');
  if (raw.url === undefined || raw.url[0] !== '/') return bad('The request target must be a path.');
  const hosts = hostHeaders(raw.rawHeaders);
  if (hosts > 1) return bad('There is more than one Host header.');
  if (hosts === 0 && raw.httpVersionMinor > 0) return bad('There is no Host header.');
  const { expect, 'transfer-encoding': encoding } = raw.headers;
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked') {
    return bad('The only transfer encoding is chunked.');
  }
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    return bad('This expectation cannot be met.');
  }
  return undefined;
}

/** Whatever follows on such a connection is not to be trusted either. */
function bad(message: string): Refusal {
  return refusal('bad_http', message, { headers: { connection: 'close' } });
}

function hostHeaders(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}
