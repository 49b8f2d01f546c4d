import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Forwarding, Relay } from '../upstream/relay.ts';
import type { Exchanges } from './exchange.ts';
import type { Responder } from './respond.ts';

interface ForwardParts {
  readonly exchanges: Exchanges;
  readonly responder: Responder;
}

/** Gives the response to a relay, which ends it whatever happens; nothing else may touch it from here on. */
export function forward(
  { exchanges, responder }: ForwardParts,
  request: FastifyRequest,
  reply: FastifyReply,
  target: Omit<Forwarding, 'call' | 'caller'>,
): void {
  const { call } = request;
  const relay = new Relay({
    ...target,
    call,
    caller: {
      response: reply.raw,
      head: (status, type, length) => responder.relayed(request, reply, status, type, length),
      refuse: (refused) => responder.refuse(request, reply, refused),
      ended: (how) => call.settle?.(how),
    },
  });
  reply.hijack();
  exchanges.handOver(call, (refused) => relay.breakOff(refused));
  relay.start();
}
