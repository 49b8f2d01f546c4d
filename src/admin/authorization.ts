import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refusal } from '../core/errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { sendRefusal } from './answers.ts';

const switchedOff = refusal(
  'not_found',
  'The admin API is off. To switch it on, set SLUICE_ADMIN_TOKEN (at least 16 characters) and start the gateway again.',
);
const refusedBy = (challenge: string) =>
  refusal('invalid_api_key', 'The admin token is missing or wrong.', {
    headers: { 'www-authenticate': challenge },
  });
const refused = {
  bearer_only: refusedBy('Bearer'),
  basic_too: refusedBy('Basic realm="Sluice: the admin token is the password", charset="UTF-8"'),
};

/**
 * The hook that guards everything under /admin. Without a token there is nothing to guard: it answers 404.
 * @param ways `basic_too`: the token may also come as the password of Basic authentication, with any user name; only
 *   where nothing can be changed, because browsers send that by themselves
 */
export function demandToken(
  token: string | undefined,
  log: Logger,
  ways: keyof typeof refused = 'bearer_only',
) {
  const expected = token === undefined ? undefined : digest(token);

  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    if (expected === undefined) return sendRefusal(reply, switchedOff);
    const { authorization = '' } = request.headers;
    const basic = ways === 'basic_too' ? passwordOf(authorization) : undefined;
    const presented = /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? basic;
    // Digests are compared, because timingSafeEqual wants equal lengths and a length is a hint.
    if (presented !== undefined && timingSafeEqual(digest(presented), expected)) return undefined;
    const reason = presented === undefined ? 'missing' : 'wrong';
    log.warn({ request_id: request.id, reason, address: request.ip }, 'admin token refused');
    return sendRefusal(reply, refused[ways]);
  };
}

function passwordOf(authorization: string): string | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? undefined : text.slice(colon + 1);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
