/** How the admin listener says no: the one place where a fault of Fastify becomes a refusal of ours. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorName, errorBody, type Refusal, RefusalError, refusal } from '../core/errors.ts';
import type { Logger } from '../telemetry/log.ts';

const fastifyFaults: Readonly<Record<string, readonly [ErrorName, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['request_too_large', 'The body is over the limit of this route.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_media_type',
    'This route does not take this Content-Type; most take application/json.',
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_json', 'The body is empty, but Content-Type announces JSON.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_json', 'The body is not valid JSON.'],
  FST_ERR_BAD_URL: ['bad_http', 'The path is not a valid one.'],
};

/** Turns whatever was thrown into an answer. What is not known to be the caller's fault is ours: 500. */
function refusalFrom(error: unknown): Refusal {
  if (error instanceof RefusalError) return error.refusal;
  const { code, statusCode, message } = error as { code?: unknown; statusCode?: unknown; message?: unknown };
  const known = typeof code === 'string' ? fastifyFaults[code] : undefined;
  if (known) return refusal(...known);
  const reason = String(message);
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return refusal('bad_http', 'The request cannot be read.', { reason });
  }
  return refusal('internal_error', 'The gateway failed; its log has the cause under this request id.', {
    reason,
  });
}

export function sendRefusal(reply: FastifyReply, refused: Refusal): FastifyReply {
  return reply
    .code(refused.status)
    .headers(refused.headers ?? {})
    .header('x-request-id', reply.request.id)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send(errorBody(refused));
}

/** The error handler: for whatever a route, a hook or Fastify itself throws. */
export function answerFaults(log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const refused = refusalFrom(error);
    if (refused.name === 'internal_error') {
      // Only message and stack: errors of a Redis client carry the arguments of the command.
      const stack = error instanceof Error ? error.stack : undefined;
      log.error({ request_id: request.id, reason: refused.reason, stack }, 'admin request failed');
    }
    sendRefusal(reply, refused);
  };
}

export function answerUnknownPath(request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split('?', 1)[0] ?? '';
  sendRefusal(reply, refusal('not_found', `There is nothing at ${path.slice(0, 200)}.`));
}

/** For bytes that never become a request: there is no reply to send through, only the socket. */
export function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const refused = brokenHttp(error.code);
  const body = errorBody(refused);
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close`;
  socket.end(`HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status]}\r\n${headers}\r\n\r\n${body}`);
}

function brokenHttp(code: string | undefined): Refusal {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return refusal('request_timeout', 'The request came too slowly.');
  if (code === 'HPE_HEADER_OVERFLOW') return refusal('headers_too_large', 'The headers are over 16 KiB.');
  return refusal('bad_http', 'The bytes are not HTTP/1.1.');
}
