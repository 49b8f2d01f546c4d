/**
 * Who asks, and may he? The token of the environment is an owner named root: it is compared here and needs no Redis.
 * Admin keys are asked for in Redis. Then the role that the route needs decides.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AdminKeys } from '../admission/admins/admin-keys.ts';
import { clientNetwork } from '../admission/client-network.ts';
import { Guesses } from '../admission/guesses.ts';
import { type Admin, mayActAs, rootAdmin } from '../core/admin.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { sendRefusal } from './answers.ts';
import type { Journal } from './journal.ts';
import { roleFor } from './roles.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whoever asks; set before any route of the admin API runs. */
    admin: Admin;
  }
}

/** Wrong tokens and keys of one network in a minute, each counted once. */
const GUESSES_PER_MINUTE = 20;
/** Tokens and keys that were right before; more than there can be of them. */
const FAMILIAR_MAX = 10_000;

interface GateParts {
  readonly token: string;
  readonly keys: Pick<AdminKeys, 'check'>;
  readonly log: Logger;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}

type Verdict =
  | { readonly ok: true; readonly admin: Admin }
  | { readonly ok: false; readonly reason: string; readonly refusal: Refusal | undefined };

/**
 * Tells who brings a token. After too many wrong ones from an address, those that were never right here are not looked at
 * until the minute is over; those that were go on as before, whoever guesses behind the same address.
 */
export class Gate {
  readonly #parts: GateParts;
  readonly #root: Buffer;
  readonly #guesses: Guesses;
  readonly #familiar = new Set<string>();

  constructor(parts: GateParts) {
    this.#parts = parts;
    this.#root = digest(parts.token);
    this.#guesses = new Guesses({ perMinute: GUESSES_PER_MINUTE, log: parts.log });
  }

  /** Settles within the command time-out. */
  async check(presented: string, address: string): Promise<Verdict> {
    const nowMs = this.#parts.now();
    const network = clientNetwork(address);
    const seen = digest(presented);
    const fingerprint = seen.toString('base64');
    const waitMs = this.#guesses.blockedMs(network, nowMs);
    if (waitMs > 0 && !this.#familiar.has(fingerprint)) return limited(waitMs);
    // Digests are compared, because timingSafeEqual wants equal lengths and a length is a hint.
    const isRoot = timingSafeEqual(seen, this.#root);
    const verdict = isRoot
      ? ({ ok: true, admin: rootAdmin } as const)
      : await this.#parts.keys.check(presented);
    if (verdict.ok) {
      if (this.#familiar.size >= FAMILIAR_MAX) this.#familiar.clear();
      this.#familiar.add(fingerprint);
      return verdict;
    }
    if (verdict.kind === 'unavailable') return { ...verdict, refusal: cannotBeChecked };
    if (verdict.isGuess) await this.#guesses.failed(network, fingerprint, nowMs);
    return { ...verdict, refusal: undefined };
  }
}

interface DemandParts {
  /** Undefined: /admin/* is off. */
  readonly gate: Gate | undefined;
  readonly journal: Pick<Journal, 'refusedRole'>;
  readonly log: Logger;
}

/**
 * The hook that guards everything under /admin. Without a token there is nothing to guard: it answers 404.
 * @param ways `basic_too`: token or key may also come as the password of Basic authentication, with any user name; only
 *   where nothing can be changed, because browsers send that by themselves
 */
export function demandRole(
  { gate, journal, log }: DemandParts,
  ways: keyof typeof refusedFor = 'bearer_only',
) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    if (!gate) return sendRefusal(reply, switchedOff);
    const { authorization = '' } = request.headers;
    const basic = ways === 'basic_too' ? passwordOf(authorization) : undefined;
    const presented = /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? basic;
    const verdict = presented === undefined ? missing : await gate.check(presented, request.ip);
    if (!verdict.ok) {
      const { reason } = verdict;
      log.warn({ request_id: request.id, reason, address: request.ip }, 'admin token refused');
      return sendRefusal(reply, verdict.refusal ?? refusedFor[ways]);
    }
    request.admin = verdict.admin;
    return refuseRole(request, reply, journal);
  };
}

/** What is no route at all, or no method of it, has nothing to guard, and its handler says so. */
function refuseRole(
  request: FastifyRequest,
  reply: FastifyReply,
  journal: Pick<Journal, 'refusedRole'>,
): FastifyReply | undefined {
  const { url, config } = request.routeOptions;
  if (url === undefined || request.is404 || config.answers405) return undefined;
  const needed = roleFor(request.method, url);
  const { role } = request.admin;
  if (needed !== undefined && mayActAs(role, needed)) return undefined;
  journal.refusedRole(request, `${request.method} ${url}`, needed);
  const message =
    needed === undefined
      ? 'No role may do this.'
      : `The role ${role} may not do this; ${needed} may. Ask an owner: sluice admins update.`;
  return sendRefusal(reply, refusal('permission_denied', message));
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

const missing: Verdict = { ok: false, reason: 'missing', refusal: undefined };

const switchedOff = refusal(
  'not_found',
  'The admin API is off. To switch it on, set SLUICE_ADMIN_TOKEN (at least 16 characters) and start the gateway again.',
);

const refusedBy = (challenge: string) =>
  refusal('invalid_api_key', 'The admin token is missing or wrong.', {
    headers: { 'www-authenticate': challenge },
  });

const refusedFor = {
  bearer_only: refusedBy('Bearer'),
  basic_too: refusedBy('Basic realm="Sluice: the admin token is the password", charset="UTF-8"'),
};

const cannotBeChecked = refusal(
  'store_unavailable',
  'Redis does not answer, so the admin key cannot be checked. The token of the environment needs no Redis.',
  { headers: { 'retry-after': '1' } },
);

function limited(waitMs: number): Verdict {
  const refused = refusal(
    'too_many_failed_keys',
    'The admin token was not checked: too many wrong ones came from your address. Try again later.',
    { headers: { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1_000))) } },
  );
  return { ok: false, reason: 'limited', refusal: refused };
}
