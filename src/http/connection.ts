import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { Call } from '../core/call.ts';
import { errorBody, errorTable, type Refusal, refusal } from '../core/errors.ts';
import type { Exchanges } from './exchange.ts';
import type { Responder } from './respond.ts';

interface ConnectionParts {
  readonly exchanges: Exchanges;
  readonly responder: Responder;
  observe(request: Pick<FastifyRequest, 'call'>, finished: boolean, endedAtMs: number): void;
}

/**
 * Whatever Node's parser refuses: too slow, too long, or not HTTP at all. If that happens in the middle of a
 * body, the request has its record and gets the error as its answer. If it happens behind a request that is
 * complete, the connection is cut: a second status line would pass for part of the answer that is due.
 */
export function refuseConnections({ exchanges, responder, observe }: ConnectionParts) {
  return (error: Error & { code?: string }, socket: Socket): void => {
    // Where nothing was ever said there is nobody to answer: a balancer's spare connection, a look at the port.
    if (!socket.writable || socket.bytesRead === 0 || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const refused = refusalOfParser(error.code);
    const live = exchanges.on(socket);
    if (live) {
      const { request, reply } = live;
      if (request.raw.complete || reply.raw.headersSent) socket.destroy();
      else responder.refuse(request, reply, refused);
      return;
    }
    const call = new Call({
      requestId: randomUUID(),
      method: 'unknown',
      route: 'unknown',
      clientAddress: socket.remoteAddress ?? 'unknown',
      startedAtMs: performance.now(),
    });
    call.refusal = refused;
    call.status = refused.status;
    socket.end(wholeAnswer(refused, call.requestId));
    observe({ call }, true, performance.now());
  };
}

function refusalOfParser(code = 'unknown'): Refusal {
  const detail = { reason: code, headers: { connection: 'close' } };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return refusal('request_timeout', 'The request came too slowly.', detail);
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return refusal('headers_too_large', 'The request headers are too large.', detail);
  }
  return refusal('bad_http', 'The request is not valid HTTP.', detail);
}

/** There is no response object to write this with. */
function wholeAnswer(refused: Refusal, requestId: string): string {
  const body = errorBody(refused);
  const lines = [
    `HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    `x-should-retry: ${errorTable[refused.name].retryable}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
