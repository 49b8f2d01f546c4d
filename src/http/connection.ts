import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { Call } from '../core/call.ts';
import type { Exchanges } from './exchange.ts';
import { answerOnSocket, refusalOfParser } from './faults.ts';
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
    socket.end(answerOnSocket(refused, call.requestId));
    observe({ call }, true, performance.now());
  };
}
