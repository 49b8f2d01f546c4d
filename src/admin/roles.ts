/**
 * Which role each route of the admin API needs. A route that does not stand here is refused to everybody, so that none
 * is open by oversight; test/admin/roles.test.ts compares the table with the routes.
 */
import type { AdminRole } from '../core/admin.ts';

const viewer = [
  'GET /admin/v1/keys/:id/signing-keys',
  ...['GET /admin/v1/keys', 'GET /admin/v1/keys/:id', 'GET /admin/v1/tenants', 'GET /admin/v1/tenants/:name'],
  ...[
    'GET /admin/v1/tenants/:name/webhook',
    'GET /admin/v1/webhooks/dead',
    'GET /admin/v1/webhooks/events/:id',
  ],
  ...['GET /admin/v1/upstreams', 'GET /admin/v1/models', 'GET /admin/v1/policies'],
  ...['GET /admin/v1/jobs', 'GET /admin/v1/jobs/queue', 'GET /admin/v1/jobs/:id'],
  ...['GET /admin/v1/usage', 'GET /admin/v1/usage/calls'],
  ...['GET /admin/v1/admins', 'GET /admin/v1/admins/:id', 'GET /admin/v1/audit'],
  // The board of the queue, which can change nothing.
  ...['GET /admin/queues', 'GET /admin/queues/*'],
] as const;

const operator = [
  ...['POST /admin/v1/keys', 'PATCH /admin/v1/keys/:id', 'DELETE /admin/v1/keys/:id'],
  ...['PUT /admin/v1/keys/:id/signing-keys', 'DELETE /admin/v1/keys/:id/signing-keys/:signing_key'],
  ...['POST /admin/v1/keys/:id/rotate', 'POST /admin/v1/keys/import'],
  ...['POST /admin/v1/tenants', 'PATCH /admin/v1/tenants/:name'],
  ...['PUT /admin/v1/tenants/:name/webhook', 'DELETE /admin/v1/tenants/:name/webhook'],
  ...['POST /admin/v1/tenants/:name/webhook/rotate-secret', 'POST /admin/v1/webhooks/replay'],
  ...['POST /admin/v1/upstreams/:name/drain', 'POST /admin/v1/upstreams/:name/resume'],
  ...['POST /admin/v1/jobs/:id/cancel', 'POST /admin/v1/jobs/:id/retry'],
  ...['POST /admin/v1/jobs/drain', 'POST /admin/v1/jobs/resume'],
] as const;

const owner = [
  ...['POST /admin/v1/admins', 'PATCH /admin/v1/admins/:id', 'DELETE /admin/v1/admins/:id'],
  ...[
    'POST /admin/v1/admins/:id/rotate',
    'POST /admin/v1/config/reload',
    'POST /admin/v1/installation/accept',
  ],
] as const;

/** By method and path, as the routes are declared. */
export const routeRoles: ReadonlyMap<string, AdminRole> = new Map<string, AdminRole>([
  ...viewer.map((route) => [route, 'viewer'] as const),
  ...operator.map((route) => [route, 'operator'] as const),
  ...owner.map((route) => [route, 'owner'] as const),
]);

/** Undefined: nobody may. @param path as it is declared; HEAD needs what GET needs */
export function roleFor(method: string, path: string): AdminRole | undefined {
  return routeRoles.get(`${method === 'HEAD' ? 'GET' : method} ${path}`);
}
