import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { Call } from '../core/call.ts';
import { errorBody, errorTable, type Refusal, refusal } from '../core/errors.ts';
import type { Exchanges } from './exchange.ts';

interface ConnectionParts {
  readonly exchanges: Exchanges;
  observe(request: Pick<FastifyRequest, 'call'>, finished: boolean, endedAtMs: number): void;
}

/**
 * Whatever Node's parser refuses: too slow, too long, or not HTTP at all. It may do so in the middle of a body,
 * when the request has its record already, or behind a request that runs; then that is what ends with it,
 * because a second status line inside its answer would pass for part of it.
 */
export function refuseConnections({ exchanges, observe }: ConnectionParts) {
  return (error: Error & { code?: string }, socket: Socket): void => {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const refused = refusalOfParser(error.code);
    if (exchanges.breakOffOn(socket, refused)) return;
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

function refusalOfParser(code: string | undefined): Refusal {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return refusal('request_timeout', 'The request came too slowly.');
  if (code === 'HPE_HEADER_OVERFLOW') {
    return refusal('headers_too_large', 'The request headers are too large.');
  }
  return refusal('bad_http', 'The request is not valid HTTP.', code === undefined ? {} : { reason: code });
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
