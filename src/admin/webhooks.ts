import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { WebhookAdministration } from '../jobs/webhooks/administration.ts';
import { sendRefusal } from './answers.ts';
import { differences } from './differences.ts';
import type { Journal } from './journal.ts';
import { tenantName, tenantPath } from './schemas.ts';
import type { ZodTypes } from './validation.ts';

interface WebhookDependencies {
  readonly webhooks: WebhookAdministration;
  readonly journal: Journal;
}

const URL_LENGTH_MAX = 2_048;
const REPLAYED_MAX = 1_000;

const endpointBody = z
  .strictObject({
    url: z
      .string()
      .max(URL_LENGTH_MAX, `must be at most ${URL_LENGTH_MAX} characters`)
      .describe('https, and public unless its host is listed.'),
    status: z.enum(['enabled', 'disabled']).describe('disabled: events are neither made nor sent.'),
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, { error: 'Give at least one of url, status.' });

const rotateBody = z
  .strictObject({
    overlap_seconds: z
      .int()
      .min(0)
      .max(31 * 86_400)
      .optional()
      .describe('How long messages are signed with the old secret too.'),
  })
  .prefault({});

const eventId = z.string().regex(/^evt_[A-Za-z0-9_]{1,64}$/, 'must be the id of an event, evt_…');

const deadQuery = z.strictObject({
  tenant: tenantName.optional(),
  limit: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, 'must be 1 to 1000')
    .transform(Number)
    .refine((limit) => limit <= REPLAYED_MAX, 'must be 1 to 1000')
    .prefault('100'),
  cursor: z
    .string()
    .regex(/^\d{1,7}$/, 'must be `next_cursor` of the page before')
    .transform(Number)
    .prefault('0'),
});

const replayBody = z.strictObject({
  events: z.array(eventId).min(1).max(REPLAYED_MAX).describe('Given up, or waiting for their next try.'),
});

/** `/v1/tenants/{name}/webhook` and `/v1/webhooks`: where tenants want the ends of their jobs told, and what failed. */
export function webhookRoutes(app: FastifyInstance, { webhooks, journal }: WebhookDependencies): void {
  endpointRoutes(app, webhooks, journal);
  eventRoutes(app, webhooks, journal);
}

function endpointRoutes(app: FastifyInstance, webhooks: WebhookAdministration, journal: Journal): void {
  const routes = app.withTypeProvider<ZodTypes>();
  const url = '/v1/tenants/:name/webhook';

  routes.get(url, { schema: { params: tenantPath } }, async (request, reply) => {
    const result = await webhooks.show(request.params.name);
    if (!result.ok) return sendRefusal(reply, result.refusal);
    return { ...result.endpoint, events: result.events };
  });

  routes.put(url, { schema: { params: tenantPath, body: endpointBody } }, async (request, reply) => {
    const { name } = request.params;
    const found = await webhooks.show(name);
    const result = await webhooks.set(name, request.body);
    const before = found.ok ? withoutSecrets(found.endpoint) : undefined;
    const changes = result.ok ? differences(before, withoutSecrets(result.endpoint)) : {};
    await journal.write(reply, 'webhook.set', result, { tenant: name }, { changes });
    if (!result.ok) return sendRefusal(reply, result.refusal);
    const { endpoint, secret } = result;
    return secret === undefined ? endpoint : reply.code(201).send({ ...endpoint, secret });
  });

  const rotate = { params: tenantPath, body: rotateBody };
  routes.post(`${url}/rotate-secret`, { schema: rotate }, async (request, reply) => {
    const { name } = request.params;
    const result = await webhooks.rotate(name, request.body.overlap_seconds);
    await journal.write(reply, 'webhook.rotate', result, { tenant: name });
    return result.ok ? { ...result.endpoint, secret: result.secret } : sendRefusal(reply, result.refusal);
  });

  routes.delete(url, { schema: { params: tenantPath } }, async (request, reply) => {
    const { name } = request.params;
    const result = await webhooks.remove(name);
    await journal.write(reply, 'webhook.remove', result, { tenant: name });
    return result.ok ? { tenant: name, deleted: true } : sendRefusal(reply, result.refusal);
  });
}

/** Paths and queries of receivers often hold a secret, so the host alone is told. */
function withoutSecrets({ url, status }: { readonly url: string | null; readonly status: string }) {
  return { url: url && URL.canParse(url) ? `${new URL(url).origin}/…` : null, status };
}

function eventRoutes(app: FastifyInstance, webhooks: WebhookAdministration, journal: Journal): void {
  const routes = app.withTypeProvider<ZodTypes>();

  routes.get('/v1/webhooks/dead', { schema: { querystring: deadQuery } }, async (request, reply) => {
    const { tenant, limit, cursor } = request.query;
    const result = await webhooks.dead(tenant, cursor, limit);
    if (!result.ok) return sendRefusal(reply, result.refusal);
    const next_cursor = result.isLastPage ? null : String(cursor + limit);
    return { object: 'list', data: result.events, next_cursor };
  });

  const path = z.strictObject({ id: eventId });
  routes.get('/v1/webhooks/events/:id', { schema: { params: path } }, async (request, reply) => {
    const result = await webhooks.event(request.params.id);
    return result.ok ? result.event : sendRefusal(reply, result.refusal);
  });

  routes.post('/v1/webhooks/replay', { schema: { body: replayBody } }, async (request, reply) => {
    const { events } = request.body;
    const result = await webhooks.replay(events);
    await journal.write(reply, 'webhook.replay', result, {}, { counts: { events: events.length } });
    return result.ok ? { object: 'list', data: result.replays } : sendRefusal(reply, result.refusal);
  });
}
