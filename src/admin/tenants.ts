import type { FastifyInstance } from 'fastify';
import type { KeyStore } from '../admission/keys/key-store.ts';
import { sendRefusal } from './answers.ts';
import { differences } from './differences.ts';
import type { Journal } from './journal.ts';
import { createTenantBody, pageQuery, tenantPath, updateTenantBody } from './schemas.ts';
import type { ZodTypes } from './validation.ts';

/** `/v1/tenants`. A tenant is made here, or on the way when a key names it for the first time. */
export function tenantRoutes(
  app: FastifyInstance,
  { keys, journal }: { readonly keys: KeyStore; readonly journal: Journal },
): void {
  const routes = app.withTypeProvider<ZodTypes>();

  routes.post('/v1/tenants', { schema: { body: createTenantBody } }, async (request, reply) => {
    const result = await keys.createTenant(request.body);
    const changes = differences(undefined, result.ok ? result.tenant : undefined);
    await journal.write(reply, 'tenant.create', result, { tenant: request.body.name }, { changes });
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
    const changes = result.ok ? differences(result.before, result.tenant) : {};
    await journal.write(reply, 'tenant.update', result, { tenant: name }, { changes });
    return result.ok ? result.tenant : sendRefusal(reply, result.refusal);
  });
}
