import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Refusal } from '../core/errors.ts';
import { type Forwarding, Relay } from '../upstream/relay.ts';
import type { Exchanges } from './exchange.ts';
import type { Responder } from './respond.ts';

interface ForwardParts {
  readonly exchanges: Exchanges;
  readonly responder: Responder;
}

/**
 * Gives the response to a relay, which ends it whatever happens; nothing else may touch it from here on.
 * @param refuse writes the answer where nothing of one has been sent
 */
export function forward(
  { exchanges, responder }: ForwardParts,
  request: FastifyRequest,
  reply: FastifyReply,
  brought: Pick<Forwarding, 'source' | 'limits'>,
  refuse = (refused: Refusal) => responder.refuse(request, reply, refused),
): void {
  const { call } = request;
  const relay = new Relay({
    ...brought,
    call,
    caller: {
      response: reply.raw,
      head: (status, type, length) => responder.relayed(request, reply, status, type, length),
      refuse,
      ended: (how) => call.settle?.(how),
    },
  });
  reply.hijack();
  exchanges.handOver(call, (refused) => relay.breakOff(refused));
  relay.start();
}
