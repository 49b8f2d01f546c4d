import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AdminStore } from '../admission/admins/admin-store.ts';
import { utcDate } from '../admission/keys/key-fields.ts';
import { adminRoles } from '../core/admin.ts';
import { refusal } from '../core/errors.ts';
import { sendRefusal } from './answers.ts';
import { differences } from './differences.ts';
import type { Journal } from './journal.ts';
import { pageQuery } from './schemas.ts';
import type { ZodTypes } from './validation.ts';

interface AdminRoutesParts {
  readonly admins: AdminStore;
  readonly journal: Journal;
  /** Wall clock in milliseconds. */
  now?(): number;
}

const name = z
  .string()
  .min(1, 'must not be empty')
  .max(128, 'must be at most 128 characters')
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u, 'must not hold control characters')
  .refine((text) => text !== 'root', 'must not be root, which is the token of the environment')
  .describe('For people; it stands in the audit trail.');

const role = z
  .enum(adminRoles)
  .describe(
    'viewer: reads everything but secrets; operator: keys, tenants, jobs, upstreams, webhooks; owner: everything.',
  );

const expiresAt = z
  .string()
  .refine((text) => utcDate(text) !== undefined, 'must be ISO 8601, such as 2030-01-31T12:00:00Z')
  .nullable()
  .describe('ISO 8601, in UTC where it names no zone; null: never.');

export const createAdminBody = z.strictObject({ name, role, expires_at: expiresAt.default(null) });

export const updateAdminBody = z
  .strictObject({
    name,
    role,
    expires_at: expiresAt,
    status: z.enum(['active', 'disabled']).describe('To revoke an admin for good, DELETE it.'),
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, {
    error: 'Give at least one of name, role, expires_at, status.',
  });

export const rotateAdminBody = z
  .strictObject({
    overlap_seconds: z
      .int()
      .min(0)
      .max(31 * 86_400)
      .default(0)
      .describe('How long the old key goes on working; 0: it ends at once.'),
  })
  .prefault({});

export const adminPath = z.strictObject({ id: z.string().regex(/^[A-Za-z0-9_]{1,64}$/) });

/** `/v1/admins`. An admin key stands only in the answers that create or rotate it. */
export function adminRoutes(
  app: FastifyInstance,
  { admins, journal, now = Date.now }: AdminRoutesParts,
): void {
  const routes = app.withTypeProvider<ZodTypes>();
  readRoutes(app, admins);

  routes.post('/v1/admins', { schema: { body: createAdminBody } }, async (request, reply) => {
    if (isPast(request.body.expires_at, now())) return sendRefusal(reply, expired);
    const result = await admins.create(request.body);
    const made = result.ok ? result.record : undefined;
    const changes = differences(undefined, made);
    await journal.write(reply, 'admin.create', result, { admin: made?.id }, { changes });
    if (!result.ok) return sendRefusal(reply, result.refusal);
    return reply.code(201).send({ ...result.record, key: result.secret });
  });

  const update = { params: adminPath, body: updateAdminBody };
  routes.patch('/v1/admins/:id', { schema: update }, async (request, reply) => {
    const { id } = request.params;
    const result = await admins.update(id, request.body);
    const changes = result.ok ? differences(result.before, result.record) : {};
    await journal.write(reply, 'admin.update', result, { admin: id }, { changes });
    return result.ok ? result.record : sendRefusal(reply, result.refusal);
  });

  const rotate = { params: adminPath, body: rotateAdminBody };
  routes.post('/v1/admins/:id/rotate', { schema: rotate }, async (request, reply) => {
    const { id } = request.params;
    const result = await admins.rotate(id, request.body.overlap_seconds);
    const changes = result.ok ? differences(result.before, result.record) : {};
    await journal.write(reply, 'admin.rotate', result, { admin: id }, { changes, counts: request.body });
    if (!result.ok) return sendRefusal(reply, result.refusal);
    return { ...result.record, key: result.secret };
  });

  routes.delete('/v1/admins/:id', { schema: { params: adminPath } }, async (request, reply) => {
    const { id } = request.params;
    const result = await admins.revoke(id);
    const changes = result.ok ? differences(result.before, result.record) : {};
    await journal.write(reply, 'admin.revoke', result, { admin: id }, { changes });
    return result.ok ? result.record : sendRefusal(reply, result.refusal);
  });
}

function readRoutes(app: FastifyInstance, admins: AdminStore): void {
  const routes = app.withTypeProvider<ZodTypes>();

  routes.get('/v1/admins', { schema: { querystring: pageQuery } }, async (request, reply) => {
    const { limit, cursor } = request.query;
    const result = await admins.list();
    if (!result.ok) return sendRefusal(reply, result.refusal);
    const begin = cursor === undefined ? 0 : result.records.findIndex(({ id }) => id === cursor) + 1;
    if (cursor !== undefined && begin === 0) return sendRefusal(reply, noSuchCursor);
    const data = result.records.slice(begin, begin + limit);
    const isLast = begin + limit >= result.records.length;
    return { object: 'list', data, next_cursor: isLast ? null : data.at(-1)?.id };
  });

  routes.get('/v1/admins/:id', { schema: { params: adminPath } }, async (request, reply) => {
    const result = await admins.get(request.params.id);
    return result.ok ? result.record : sendRefusal(reply, result.refusal);
  });
}

const expired = refusal('invalid_parameter', 'expires_at: must be in the future.', { param: 'expires_at' });
const noSuchCursor = refusal('invalid_parameter', 'cursor must be the next_cursor of the page before.', {
  param: 'cursor',
});

function isPast(expires: string | null, nowMs: number): boolean {
  const utc = expires === null ? undefined : utcDate(expires);
  return utc !== undefined && Date.parse(utc) <= nowMs;
}
