/** How the admin listener says no. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorBody, type Refusal, refusal } from '../core/errors.ts';
import { answerOnSocket, refusalOfError, refusalOfParser } from '../http/faults.ts';
import type { Logger } from '../telemetry/log.ts';

export function sendRefusal(reply: FastifyReply, refused: Refusal): FastifyReply {
  return reply
    .code(refused.status)
    .headers(refused.headers ?? {})
    .header('x-request-id', reply.request.id)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send(errorBody(refused));
}

/** As a step of the listener has it. */
export function refuse(_request: FastifyRequest, reply: FastifyReply, refused: Refusal): void {
  sendRefusal(reply, refused);
}

/** The error handler: for whatever a route, a hook or Fastify itself throws. */
export function answerFaults(log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const refused = refusalOfError(error);
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
  socket.end(answerOnSocket(refusalOfParser(error.code), randomUUID()));
}
