import type { FastifyReply, FastifyRequest } from 'fastify';
import { type UsageReader, type UsageResult, usageCannotBeRead } from '../admission/usage/usage-reader.ts';
import type { Principal } from '../core/principal.ts';
import { refusalOfError } from './faults.ts';
import type { Responder } from './respond.ts';

interface UsageParts {
  readonly usage: Pick<UsageReader, 'ofKey'>;
  readonly responder: Responder;
  /** The reading takes a few steps, none of which waits longer than this; nor do all of them together. */
  readonly limitMs: number;
}

/** `GET /v1/usage`: what the holder of a key may do and has done. Costs nothing, whatever is spent. */
export function usageRoute({ usage, responder, limitMs }: UsageParts) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const principal = request.call.principal as Principal;
    within(usage.ofKey(principal), limitMs).then(
      (result) => {
        if (reply.raw.destroyed) return;
        if (result.ok) responder.json(request, reply, 200, JSON.stringify(result.value));
        else responder.refuse(request, reply, result.refusal);
      },
      (error) => responder.refuse(request, reply, refusalOfError(error)),
    );
  };
}

async function within<T>(reading: Promise<UsageResult<T>>, limitMs: number): Promise<UsageResult<T>> {
  const late = Promise.withResolvers<UsageResult<T>>();
  const timer = setTimeout(() => late.resolve({ ok: false, refusal: usageCannotBeRead }), limitMs);
  try {
    return await Promise.race([reading, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
