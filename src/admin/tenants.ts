import type { FastifyInstance } from 'fastify';
import type { KeyStore } from '../admission/keys/key-store.ts';
import type { Logger } from '../telemetry/log.ts';
import { sendRefusal } from './answers.ts';
import { writeJournal } from './journal.ts';
import { createTenantBody, pageQuery, tenantPath, updateTenantBody } from './schemas.ts';
import type { ZodTypes } from './validation.ts';

/** `/v1/tenants`. A tenant is made here, or on the way when a key names it for the first time. */
export function tenantRoutes(app: FastifyInstance, { keys, log }: { keys: KeyStore; log: Logger }): void {
  const routes = app.withTypeProvider<ZodTypes>();
  const journal = writeJournal(log);

  routes.post('/v1/tenants', { schema: { body: createTenantBody } }, async (request, reply) => {
    const result = await keys.createTenant(request.body);
    journal(request, 'tenant.create', result, { tenant: request.body.name });
    return result.ok ? reply.code(201).send(result.tenant) : sendRefusal(reply, result.refusal);
  });

  routes.get('/v1/tenants', { schema: { querystring: pageQuery } }, async (request, reply) => {
    const result = await keys.listTenants(request.query);
    if (!result.ok) return sendRefusal(reply, result.refusal);
    return { object: 'list', data: result.tenants, next_cursor: result.next_cursor };
  });

  routes.get('/v1/tenants/:name', { schema: { params: tenantPath } }, async (request, reply) => {
    const result = await keys.getTenant(request.params.name);
    return result.ok ? result.tenant : sendRefusal(reply, result.refusal);
  });

  const update = { params: tenantPath, body: updateTenantBody };
  routes.patch('/v1/tenants/:name', { schema: update }, async (request, reply) => {
    const { name } = request.params;
    const result = await keys.updateTenant(name, request.body);
    const fields = Object.keys(request.body).join(' ');
    journal(request, 'tenant.update', result, { tenant: name, fields, status: request.body.status });
    return result.ok ? result.tenant : sendRefusal(reply, result.refusal);
  });
}
