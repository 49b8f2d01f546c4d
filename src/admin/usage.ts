import type { FastifyInstance } from 'fastify';
import type { UsageReader } from '../admission/usage/usage-reader.ts';
import { sendRefusal } from './answers.ts';
import { callsQuery, usageQuery } from './usage-schemas.ts';
import type { ZodTypes } from './validation.ts';

/** `/v1/usage`: sums of a tenant, and its latest calls. */
export function usageRoutes(app: FastifyInstance, { usage }: { usage: UsageReader }): void {
  const routes = app.withTypeProvider<ZodTypes>();

  routes.get('/v1/usage', { schema: { querystring: usageQuery } }, async (request, reply) => {
    const result = await usage.report(request.query);
    if (!result.ok) return sendRefusal(reply, result.refusal);
    const { rows, totals, nextCursor } = result.value;
    return { object: 'list', data: rows, totals, next_cursor: nextCursor };
  });

  routes.get('/v1/usage/calls', { schema: { querystring: callsQuery } }, async (request, reply) => {
    const { tenant, ...page } = request.query;
    const result = await usage.calls(tenant, page);
    if (!result.ok) return sendRefusal(reply, result.refusal);
    return { object: 'list', data: result.value.calls, next_cursor: result.value.nextCursor };
  });
}
