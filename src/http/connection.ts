import { randomUUID } from 'node:crypto';
import { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { Call } from '../core/call.ts';
import type { Exchanges } from './exchange.ts';
import { answerOnSocket, PLAIN_HTTP_CODE, refusalOfParser } from './faults.ts';
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
    const plain = error.code === PLAIN_HTTP_CODE ? socketBelow(socket) : undefined;
    // Where nothing was ever said there is nobody to answer: a balancer's spare connection, a look at the port, a
    // handshake that failed.
    if (!plain && (!socket.writable || socket.bytesRead === 0 || error.code === 'ECONNRESET')) {
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
      clientAddress: (plain ?? socket).remoteAddress ?? 'unknown',
      startedAtMs: performance.now(),
    });
    call.refusal = refused;
    call.status = refused.status;
    (plain ?? socket).end(answerOnSocket(refused, call.requestId));
    observe({ call }, true, performance.now());
  };
}

/**
 * The connection under one of TLS, on which whoever speaks plain HTTP can still be told so. Node names it nowhere in its
 * documentation; without it such a connection is closed without a word.
 */
function socketBelow(socket: Socket): Socket | undefined {
  const below: unknown = Reflect.get(socket, '_parent');
  return below instanceof Socket && below.writable ? below : undefined;
}
