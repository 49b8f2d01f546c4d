import type { FastifyInstance } from 'fastify';
import { utcDate } from '../admission/keys/key-fields.ts';
import type { KeyResult, KeyStore } from '../admission/keys/key-store.ts';
import { refusal } from '../core/errors.ts';
import type { KeyRecord } from '../core/principal.ts';
import { sendRefusal } from './answers.ts';
import { differences } from './differences.ts';
import type { Journal } from './journal.ts';
import { createKeyBody, keyPath, keysQuery, rotateKeyBody, updateKeyBody } from './schemas.ts';
import type { ZodTypes } from './validation.ts';

interface KeyDependencies {
  readonly keys: KeyStore;
  readonly journal: Journal;
  /** Wall clock in milliseconds. */
  now?(): number;
}

/** `/v1/keys`. A key itself stands only in the answers that create or rotate it. */
export function keyRoutes(app: FastifyInstance, { keys, journal, now = Date.now }: KeyDependencies): void {
  const routes = app.withTypeProvider<ZodTypes>();

  routes.post('/v1/keys', { schema: { body: createKeyBody } }, async (request, reply) => {
    if (isPast(request.body.expires_at, now())) return sendRefusal(reply, expired);
    const result = await keys.create(request.body);
    const made = result.ok ? result.record : undefined;
    const subject = { key: made?.id, tenant: request.body.tenant };
    await journal.write(reply, 'key.create', result, subject, { changes: differences(undefined, made) });
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
    await journal.write(reply, 'key.update', result, subjectOf(id, result), changesOf(result));
    return result.ok ? result.record : sendRefusal(reply, result.refusal);
  });

  const rotate = { params: keyPath, body: rotateKeyBody };
  routes.post('/v1/keys/:id/rotate', { schema: rotate }, async (request, reply) => {
    const { id } = request.params;
    const result = await keys.rotate(id, request.body);
    const details = { ...changesOf(result), counts: request.body };
    await journal.write(reply, 'key.rotate', result, subjectOf(id, result), details);
    if (!result.ok) return sendRefusal(reply, result.refusal);
    return { ...result.record, key: result.secret };
  });

  routes.delete('/v1/keys/:id', { schema: { params: keyPath } }, async (request, reply) => {
    const { id } = request.params;
    const result = await keys.revoke(id);
    await journal.write(reply, 'key.revoke', result, subjectOf(id, result), changesOf(result));
    return result.ok ? result.record : sendRefusal(reply, result.refusal);
  });
}

type Changed = KeyResult<{ readonly record: KeyRecord; readonly before: KeyRecord }>;

function subjectOf(id: string, result: Changed) {
  return { key: id, tenant: result.ok ? result.record.tenant : undefined };
}

function changesOf(result: Changed) {
  return result.ok ? { changes: differences(result.before, result.record) } : {};
}

const expired = refusal('invalid_parameter', 'expires_at: must be in the future.', { param: 'expires_at' });

function isPast(expiresAt: string | null, nowMs: number): boolean {
  const utc = expiresAt === null ? undefined : utcDate(expiresAt);
  return utc !== undefined && Date.parse(utc) <= nowMs;
}
