/** The document of the admin listener: its routes, by the schemas that hold their requests. */
import type { ErrorName } from '../../core/errors.ts';
import { docsOperations } from '../../http/openapi/docs-operations.ts';
import {
  type Body,
  buildDocument,
  json,
  type OpenApiDocument,
  type Operation,
} from '../../http/openapi/document.ts';
import { type RegisteredRoute, routeName } from '../../http/openapi/registered.ts';
import { adminSecurity, adminSecuritySchemes } from '../../http/openapi/security.ts';
import { routeRoles } from '../roles.ts';
import { accountSchemas } from './account-answers.ts';
import type { AdminOperation } from './operation.ts';
import { adminOperations, adminTags } from './operations.ts';
import { servingSchemas } from './serving-answers.ts';
import { contentOf, isBodyRequired, parametersOf } from './zod-schema.ts';

/** Of everything behind a role. */
const guarded: readonly ErrorName[] = [
  ...(['invalid_api_key', 'permission_denied', 'not_found', 'too_many_failed_keys'] as const),
  'store_unavailable',
];

export function adminDocument(version: string, routes: readonly RegisteredRoute[]): OpenApiDocument {
  return buildDocument({
    title: 'Sluice: admin API',
    version,
    description,
    servers: [{ url: '/' }],
    tags: adminTags,
    security: adminSecurity,
    securitySchemes: adminSecuritySchemes,
    schemas: { ...accountSchemas, ...servingSchemas },
    routes,
    describe,
    errors: {
      elsewhere: ['not_found', 'method_not_allowed'],
      always: ['bad_http', 'internal_error'],
      withBody: [
        'invalid_json',
        'missing_parameter',
        'unsupported_parameter',
        'request_too_large',
        'unsupported_media_type',
      ],
    },
    headers: { always: ['x-request-id', 'cache-control'], onErrors: [] },
  });
}

function describe(route: RegisteredRoute): Operation | undefined {
  const name = routeName(route);
  const described = adminOperations[name];
  return described ? operationOf(described, route) : (docsOperations()[name] ?? publicDocs[name]);
}

function operationOf(described: AdminOperation, route: RegisteredRoute): Operation {
  const { id, tag, summary, description, status = 200, content, also = {}, errors = [], isOpen } = described;
  const role = routeRoles.get(routeName(route));
  const shown = [description, role && `Needs the role \`${role}\`.`].filter((line) => line !== undefined);
  const parameters = [...parametersOf(route.schema), ...restOf(route)];
  const named = parameters.length > 0 ? (['invalid_parameter'] as const) : [];
  const other = Object.entries(also).map(([code, schema]) => {
    const description = code === '201' ? 'It is new.' : 'It is not.';
    return [code, { description, content: json(schema) }] as const;
  });
  const answers = { [status]: { description: status === 201 ? 'It is made.' : 'Done.', content } };
  return {
    id,
    tag,
    summary,
    ...(shown.length > 0 && { description: shown.join('\n\n') }),
    parameters,
    body: bodyOf(described, route),
    answers: { ...answers, ...Object.fromEntries(other) },
    errors: isOpen ? errors : [...guarded, ...named, ...errors],
    ...(isOpen && { isOpen }),
    ...(role !== undefined && { more: moreOf(route, role) }),
  };
}

function moreOf({ url }: RegisteredRoute, role: string) {
  return url.startsWith('/admin/queues')
    ? { 'x-role': role, security: [{ admin: [] }, { browser: [] }] }
    : { 'x-role': role };
}

function restOf({ url }: RegisteredRoute) {
  return url.endsWith('*')
    ? ([{ name: 'path', in: 'path', required: true, schema: { type: 'string' } }] as const)
    : [];
}

function bodyOf({ example }: AdminOperation, { schema }: RegisteredRoute): Body | undefined {
  const content = contentOf(schema);
  if (!content) return undefined;
  const { 'application/json': asJson, ...rest } = content;
  return {
    required: isBodyRequired(schema),
    content: { ...(asJson && { 'application/json': { ...asJson, example } }), ...rest },
  };
}

const publicDocs: Readonly<Record<string, Operation>> = {
  'GET /openapi-public.json': {
    ...(docsOperations()['GET /openapi.json'] as Operation),
    id: 'getPublicOpenApi',
    summary: 'The document of the public listener',
  },
  'GET /docs/public': {
    ...(docsOperations()['GET /docs'] as Operation),
    id: 'getPublicDocs',
    summary: 'The document of the public listener as a page',
  },
};

const description = `For those who run the gateway: keys, tenants, GPU servers, jobs, usage. Everything under \`/admin\`
wants the key of an admin as bearer; probes, metrics and these documents are open to whoever reaches the listener, which
never has to be on the internet.

A field that is not known is refused, never ignored. Lists are paged: \`next_cursor\` of a page is \`cursor\` of the next.
Changes hold on every replica within a second. **Errors** have OpenAI's format; 503 after a change means that it may or
may not have been made.`;
