import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { utcDate } from '../admission/keys/key-fields.ts';
import type { SigningKeys } from '../admission/signatures/administration.ts';
import { refusal } from '../core/errors.ts';
import { signingAlgorithms } from '../redis/signing-key-records.ts';
import { sendRefusal } from './answers.ts';
import { differences } from './differences.ts';
import type { Journal } from './journal.ts';
import { keyPath } from './schemas.ts';
import type { ZodTypes } from './validation.ts';

interface SigningKeyDependencies {
  readonly signingKeys: SigningKeys;
  readonly journal: Journal;
  /** Wall clock in milliseconds. */
  now?(): number;
}

const putSigningKeyBody = z.strictObject({
  alg: z.enum(signingAlgorithms).describe('hmac-sha256: the gateway makes the secret and shows it once.'),
  public_key: z
    .union([z.string().min(1).max(2_000), z.looseObject({ kty: z.string() })], {
      error: 'must be an Ed25519 public key: as PEM, as JWK, or its 32 bytes in base64',
    })
    .optional()
    .describe('Of ed25519: PEM, JWK, or the 32 bytes in base64.'),
  note: z
    .string()
    .max(200, 'must be at most 200 characters')
    .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'must not hold control characters')
    .optional()
    .describe('For people.'),
  expires_at: z
    .string()
    .refine((text) => utcDate(text) !== undefined, 'must be ISO 8601, such as 2030-01-31T12:00:00Z')
    .nullable()
    .optional()
    .describe('ISO 8601; null or absent: as long as the key.'),
  overlap_seconds: z
    .int()
    .min(0)
    .max(31 * 86_400)
    .optional()
    .describe('Rotation: all other signing keys of the key end after so long; absent: they stay.'),
});

const signingKeyPath = keyPath.extend({ signing_key: z.string().regex(/^[A-Za-z0-9_]{1,64}$/) });

/** `/v1/keys/{id}/signing-keys`. A secret stands only in the answer to the request that has it made. */
export function signingKeyRoutes(
  app: FastifyInstance,
  { signingKeys, journal, now = Date.now }: SigningKeyDependencies,
): void {
  const routes = app.withTypeProvider<ZodTypes>();
  const url = '/v1/keys/:id/signing-keys';

  const put = { params: keyPath, body: putSigningKeyBody };
  routes.put(url, { schema: put }, async (request, reply) => {
    const { public_key, ...wanted } = request.body;
    if (isPast(wanted.expires_at, now())) return sendRefusal(reply, expired);
    const text = typeof public_key === 'object' ? JSON.stringify(public_key) : public_key;
    const { id } = request.params;
    const result = await signingKeys.put(id, { ...wanted, public_key: text });
    const entered = result.ok ? result : undefined;
    const subject = { key: id, tenant: entered?.tenant, signing_key: entered?.signingKey.id };
    const changes = differences(entered?.before, entered?.signingKey);
    const { overlap_seconds } = wanted;
    const details = overlap_seconds === undefined ? { changes } : { changes, counts: { overlap_seconds } };
    await journal.write(reply, 'key.signing_add', result, subject, details);
    if (!result.ok) return sendRefusal(reply, result.refusal);
    const { secret, before } = result;
    return reply
      .code(before === undefined ? 201 : 200)
      .send({ ...result.signingKey, ...(secret !== undefined && { secret }) });
  });

  routes.get(url, { schema: { params: keyPath } }, async (request, reply) => {
    const result = await signingKeys.list(request.params.id);
    return result.ok ? { object: 'list', data: result.signingKeys } : sendRefusal(reply, result.refusal);
  });

  routes.delete(`${url}/:signing_key`, { schema: { params: signingKeyPath } }, async (request, reply) => {
    const { id, signing_key } = request.params;
    const result = await signingKeys.remove(id, signing_key);
    const removed = result.ok ? result : undefined;
    const subject = { key: id, tenant: removed?.tenant, signing_key };
    const changes = differences(removed?.signingKey, undefined);
    await journal.write(reply, 'key.signing_remove', result, subject, { changes });
    return result.ok ? { ...result.signingKey, deleted: true } : sendRefusal(reply, result.refusal);
  });
}

function isPast(expiresAt: string | null | undefined, nowMs: number): boolean {
  const utc = expiresAt == null ? undefined : utcDate(expiresAt);
  return utc !== undefined && Date.parse(utc) <= nowMs;
}

const expired = refusal('invalid_parameter', 'expires_at: must be in the future.', { param: 'expires_at' });
