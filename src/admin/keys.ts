import type { FastifyInstance } from 'fastify';
import { utcDate } from '../admission/keys/key-fields.ts';
import type { KeyStore } from '../admission/keys/key-store.ts';
import { refusal } from '../core/errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { sendRefusal } from './answers.ts';
import { writeJournal } from './journal.ts';
import { createKeyBody, keyPath, keysQuery, rotateKeyBody, updateKeyBody } from './schemas.ts';
import type { ZodTypes } from './validation.ts';

interface KeyDependencies {
  readonly keys: KeyStore;
  readonly log: Logger;
  /** Wall clock in milliseconds. */
  now?(): number;
}

/** `/v1/keys`. A key itself stands only in the answers that create or rotate it. */
export function keyRoutes(app: FastifyInstance, { keys, log, now = Date.now }: KeyDependencies): void {
  const routes = app.withTypeProvider<ZodTypes>();
  const journal = writeJournal(log);

  routes.post('/v1/keys', { schema: { body: createKeyBody } }, async (request, reply) => {
    if (isPast(request.body.expires_at, now())) return sendRefusal(reply, expired);
    const result = await keys.create(request.body);
    const key = result.ok ? result.record.id : undefined;
    journal(request, 'key.create', result, { key, tenant: request.body.tenant });
    if (!result.ok) return sendRefusal(reply, result.refusal);
    return reply.code(201).send({ ...result.record, key: result.secret });
  });

  routes.get('/v1/keys', { schema: { querystring: keysQuery } }, async (request, reply) => {
    const result = await keys.list(request.query);
    if (!result.ok) return sendRefusal(reply, result.refusal);
    return { object: 'list', data: result.records, next_cursor: result.next_cursor };
  });

  routes.get('/v1/keys/:id', { schema: { params: keyPath } }, async (request, reply) => {
    const result = await keys.get(request.params.id);
    return result.ok ? result.record : sendRefusal(reply, result.refusal);
  });

  const update = { params: keyPath, body: updateKeyBody };
  routes.patch('/v1/keys/:id', { schema: update }, async (request, reply) => {
    const { id } = request.params;
    const result = await keys.update(id, request.body);
    const fields = Object.keys(request.body).join(' ');
    const tenant = result.ok ? result.record.tenant : undefined;
    journal(request, 'key.update', result, { key: id, tenant, fields, status: request.body.status });
    return result.ok ? result.record : sendRefusal(reply, result.refusal);
  });

  const rotate = { params: keyPath, body: rotateKeyBody };
  routes.post('/v1/keys/:id/rotate', { schema: rotate }, async (request, reply) => {
    const { id } = request.params;
    const result = await keys.rotate(id, request.body);
    const tenant = result.ok ? result.record.tenant : undefined;
    journal(request, 'key.rotate', result, { key: id, tenant, ...request.body });
    if (!result.ok) return sendRefusal(reply, result.refusal);
    return { ...result.record, key: result.secret };
  });

  routes.delete('/v1/keys/:id', { schema: { params: keyPath } }, async (request, reply) => {
    const { id } = request.params;
    const result = await keys.revoke(id);
    journal(request, 'key.revoke', result, { key: id, tenant: result.ok ? result.record.tenant : undefined });
    return result.ok ? result.record : sendRefusal(reply, result.refusal);
  });
}

const expired = refusal('invalid_parameter', 'expires_at: must be in the future.', { param: 'expires_at' });

function isPast(expiresAt: string | null, nowMs: number): boolean {
  const utc = expiresAt === null ? undefined : utcDate(expiresAt);
  return utc !== undefined && Date.parse(utc) <= nowMs;
}
