import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refusal } from '../core/errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { sendRefusal } from './answers.ts';

const switchedOff = refusal(
  'not_found',
  'The admin API is off. To switch it on, set SLUICE_ADMIN_TOKEN (at least 16 characters) and start the gateway again.',
);
const refused = refusal('invalid_api_key', 'The admin token is missing or wrong.', {
  headers: { 'www-authenticate': 'Bearer' },
});

/** The hook that guards everything under /admin. Without a token there is nothing to guard: it answers 404. */
export function demandToken(token: string | undefined, log: Logger) {
  const expected = token === undefined ? undefined : digest(token);

  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    if (expected === undefined) return sendRefusal(reply, switchedOff);
    const presented = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    // Digests are compared, because timingSafeEqual wants equal lengths and a length is a hint.
    if (presented !== undefined && timingSafeEqual(digest(presented), expected)) return undefined;
    const reason = presented === undefined ? 'missing' : 'wrong';
    log.warn({ request_id: request.id, reason, address: request.ip }, 'admin token refused');
    return sendRefusal(reply, refused);
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
