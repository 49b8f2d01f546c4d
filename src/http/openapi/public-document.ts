/** The document of the public listener: the routes that it has, by the schemas and tables that it works with. */
import type { RouteConfig } from '../../config/schema.ts';
import type { Caps } from '../../core/parameters.ts';
import { buildDocument, type OpenApiDocument, type Operation } from './document.ts';
import { publicSchemas } from './public-answers.ts';
import {
  acceptedAnswer,
  passthroughErrors,
  passthroughHeaders,
  passthroughParameters,
  publicOperations,
  publicTags,
} from './public-operations.ts';
import { type RegisteredRoute, routeName } from './registered.ts';
import type { Schema } from './schema.ts';
import { publicSecurity, publicSecuritySchemes } from './security.ts';

export interface PublicDocumentParts {
  readonly version: string;
  readonly caps: Caps;
  /** Those of the configuration that lead to plain servers. */
  readonly passthrough: readonly RouteConfig[];
  readonly routes: readonly RegisteredRoute[];
  readonly servers: readonly Schema[];
}

export function publicDocument(parts: PublicDocumentParts): OpenApiDocument {
  const { version, caps, passthrough, routes, servers } = parts;
  const operations = publicOperations(caps);
  return buildDocument({
    title: 'Sluice: public API',
    version,
    description,
    servers,
    tags: publicTags,
    security: publicSecurity,
    securitySchemes: publicSecuritySchemes,
    schemas: publicSchemas,
    routes,
    describe(route) {
      const configured = passthrough.find(({ path }) => path === route.url);
      return configured ? passThrough(configured, route.method) : operations[routeName(route)];
    },
    errors: {
      elsewhere: ['not_found', 'method_not_allowed'],
      always: ['bad_http', 'request_timeout', 'headers_too_large', 'internal_error', 'draining'],
      withBody: [
        'invalid_json',
        'json_too_complex',
        'invalid_parameter',
        'request_too_large',
        'unsupported_media_type',
      ],
    },
    headers: { always: ['x-request-id', 'cache-control'], onErrors: ['x-should-retry'] },
  });
}

function passThrough(route: RouteConfig, method: string): Operation {
  const anything = { '*/*': { schema: {} } };
  const schema = route.body_schema;
  // Its references are to be read within it, and by the draft that Fastify's validator knows.
  const ofBody = schema && {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: `/schemas${route.path}`,
    ...schema,
  };
  const takesBody = method !== 'GET';
  return {
    id: `${method.toLowerCase()}${route.path.replaceAll(/[^A-Za-z0-9]+/g, '_')}`,
    tag: 'Pass-through',
    summary: `Call the plain server behind ${route.path}`,
    description: 'Body and answer pass unaltered; request limits apply, token limits do not.',
    parameters: passthroughParameters,
    body: takesBody
      ? {
          required: schema !== undefined,
          content: ofBody ? { 'application/json': { schema: ofBody } } : anything,
        }
      : undefined,
    answers: {
      200: {
        description: 'What the server says; other 2xx and 4xx likewise.',
        headers: passthroughHeaders,
        content: anything,
      },
      202: acceptedAnswer,
    },
    errors: passthroughErrors,
    errorHeaders: passthroughHeaders,
  };
}

const description = `One address for the GPU servers of a team. It speaks OpenAI's API: the official clients need a base
URL and a key, and nothing else.

**Errors** have OpenAI's format on every route; \`error.code\` says what it was, \`x-should-retry\` whether the same
request may succeed later, and \`Retry-After\` when. **Limits** stand in \`x-ratelimit-*\`, \`x-quota-*\` and the IETF's
\`RateLimit\` on every answer that has come to admission. **Streams** are server-sent events. **Jobs**: a request with
\`Prefer: respond-async\`, or one that is too large to be answered at once, is taken in and run later.

Fields of requests that the gateway does not know go to the GPU server as they came, and answers may have more fields
than are named here.`;
