import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { LiveConfig } from '../config/live.ts';
import type { Config, RouteConfig } from '../config/schema.ts';
import { refusal } from '../core/errors.ts';
import { Attempts } from '../upstream/attempts.ts';
import type { Models } from '../upstream/models.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { type AdmitParts, admitPlain } from './admit.ts';
import { plainBodyParser } from './body.ts';
import type { Exchanges, Step } from './exchange.ts';
import { forward } from './forward.ts';
import { plainDiversion } from './jobs/plain.ts';
import type { TakeParts } from './jobs/take.ts';
import type { Responder } from './respond.ts';

interface PassthroughParts extends AdmitParts, TakeParts {
  readonly config: Config;
  readonly live: () => LiveConfig;
  readonly models: Models;
  readonly exchanges: Exchanges;
  readonly responder: Responder;
  readonly authenticate: Step;
}

/** Routes of the configuration that lead to plain servers: same keys, logs and metrics, bytes unaltered. */
export function registerPassthrough(app: FastifyInstance, parts: PassthroughParts): void {
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', plainBodyParser());
    for (const configured of parts.config.routes) {
      const diversion = plainDiversion(parts, configured, () => limitsOf(configured, parts));
      scope.route({
        // Fastify writes into the list, and the configuration is frozen.
        method: [...configured.methods],
        url: configured.path,
        exposeHeadRoute: false,
        bodyLimit: configured.body_limit_bytes ?? parts.config.listen.body_limit_bytes,
        onRequest: parts.authenticate,
        preHandler: [
          checkBody(configured, parts.responder),
          diversion.step,
          admitPlain(parts, configured.path, diversion.overLimit),
        ],
        handler: passOn(configured, parts),
      });
    }
  });
}

/** 400: the configured JSON Schema, by Fastify's own validator. */
function checkBody(route: RouteConfig, responder: Responder): Step {
  return (request, reply, next) => {
    const { body_schema: schema } = route;
    if (!schema) return next();
    const value = parse(request.body as Buffer | undefined);
    if (value === undefined) {
      return responder.refuse(request, reply, refusal('invalid_json', 'The body is not valid JSON.'));
    }
    const fits = request.compileValidationSchema(schema);
    if (fits(value)) return next();
    const [fault] = fits.errors ?? [];
    const param = fault?.instancePath.slice(1).replaceAll('/', '.') || undefined;
    const message = `'${param ?? 'body'}' ${fault?.message ?? 'does not fit the schema'}.`;
    responder.refuse(request, reply, refusal('invalid_parameter', message, param ? { param } : {}));
  };
}

function parse(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse((bytes ?? Buffer.alloc(0)).toString('utf8'));
  } catch {
    return undefined;
  }
}

function passOn(route: RouteConfig, parts: PassthroughParts) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    // Of that name there may be another one by now.
    const upstream = parts.models.upstreams.get(route.upstream);
    if (!upstream) return parts.responder.refuse(request, reply, NO_SERVER);
    const query = request.url.indexOf('?');
    const target = {
      upstream,
      method: request.method,
      path: (route.upstream_path ?? route.path) + (query < 0 ? '' : request.url.slice(query)),
      headers: plainHeaders(request, upstream),
      body: (request.body as Buffer | undefined) ?? null,
      shape: { kind: 'plain' as const },
    };
    const limits = limitsOf(route, parts);
    const source = new Attempts({
      call: request.call,
      route: { first: target, another: () => undefined },
      connectTimeoutMs: limits.connect_ms,
      replayable: request.method === 'GET',
    });
    forward(parts, request, reply, { source, limits });
  };
}

function limitsOf({ timeouts }: RouteConfig, { live }: Pick<PassthroughParts, 'live'>) {
  return { ...live().timeouts, ...timeouts };
}

const NO_SERVER = refusal('upstream_unavailable', 'The route has no server.');

/** The caller's key never goes on; of his headers only those that say what the body is and what he takes. */
function plainHeaders(request: FastifyRequest, upstream: Upstream): string[] {
  const headers = ['x-request-id', request.call.requestId, ...upstream.authorization];
  for (const name of ['content-type', 'accept'] as const) {
    const value = request.headers[name];
    if (value !== undefined) headers.push(name, value);
  }
  return headers;
}
