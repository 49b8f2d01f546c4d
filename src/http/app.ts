import type { ServerOptions } from 'node:http';
import cors from '@fastify/cors';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import type { UsageReader } from '../admission/usage/usage-reader.ts';
import type { LiveConfig } from '../config/live.ts';
import type { Config } from '../config/schema.ts';
import type { Tracer } from '../core/call-trace.ts';
import { refusal } from '../core/errors.ts';
import type { Models } from '../upstream/models.ts';
import type { Router } from '../upstream/router.ts';
import type { SharedCalls } from '../upstream/shared/shared-calls.ts';
import { TokenCounter } from '../upstream/tokenize.ts';
import { type AdmitParts, admitInference } from './admit.ts';
import { type AuthenticateParts, createAuthentication } from './authenticate.ts';
import { jsonBodyParser } from './body.ts';
import { refuseConnections } from './connection.ts';
import { openCall } from './context.ts';
import { checkContextLength } from './context-length.ts';
import { endpoints } from './endpoints.ts';
import type { EqualParts } from './equal-requests.ts';
import type { Exchanges, Step } from './exchange.ts';
import { refusalOfError } from './faults.ts';
import { health, index } from './health.ts';
import { type IdempotencyParts, idempotency } from './idempotency.ts';
import { answer, replay, route, validate } from './inference.ts';
import { diversion } from './jobs/divert.ts';
import { jobHeaderNames } from './jobs/job-headers.ts';
import { type JobRoutesParts, registerJobs } from './jobs/routes.ts';
import type { TakeParts } from './jobs/take.ts';
import { limitHeaderNames } from './limit-headers.ts';
import { watchMethods } from './methods.ts';
import { listModels, MODELS_PATH, showModel } from './models-route.ts';
import { type PublicDocumentation, registerPublicDocs } from './openapi/public-routes.ts';
import { registerPassthrough } from './passthrough.ts';
import { Responder } from './respond.ts';
import { storedHeaderNames } from './stored-headers.ts';
import type { ListenerTls } from './tls.ts';
import { usageRoute } from './usage-route.ts';

export interface PublicAppParts {
  /** As at the start. */
  readonly config: Config;
  /** What may change meanwhile. */
  readonly live: () => LiveConfig;
  readonly version: string;
  readonly documentation: Pick<PublicDocumentation, 'watch' | 'text'>;
  readonly models: Models;
  readonly router: Router;
  readonly exchanges: Exchanges;
  readonly shared: SharedCalls;
  readonly cache: EqualParts['cache'];
  readonly cacheAsked: EqualParts['cacheAsked'];
  readonly once: IdempotencyParts['once'];
  readonly jobs: JobRoutesParts['jobs'] & TakeParts['jobs'];
  readonly authenticator: AuthenticateParts['authenticator'];
  readonly tokens?: AuthenticateParts['tokens'];
  readonly signatures?: AuthenticateParts['signatures'];
  readonly admission: AdmitParts['admission'];
  readonly tracer?: Tracer | undefined;
  /** Undefined: plain HTTP. */
  readonly tls?: Pick<ListenerTls, 'serverOptions'> | undefined;
  readonly estimator: AdmitParts['estimator'];
  readonly pricesOf: AdmitParts['pricesOf'];
  readonly settlementFailed: AdmitParts['settlementFailed'];
  readonly usage: Pick<UsageReader, 'ofKey'>;
  redis(): 'ok' | 'degraded';
  /** The response has closed, finished or not: log line and metrics. */
  observe(request: Pick<FastifyRequest, 'call'>, finished: boolean, endedAtMs: number): void;
  /** A caller that is no trusted proxy has sent X-Forwarded-For. */
  untrustedForward(address: string): void;
}

/**
 * The path of a request. Each step either answers, which ends it, or calls the next one:
 *
 *     openCall       400       id, record, odd HTTP
 *     authenticate   401 403 429 503   before the body is read: nobody unknown makes us hold 20 MB
 *     body parser    400 413 415
 *     validate       400
 *     route          403 404 503
 *     context        400       is the prompt too long for the model? The server is asked where that is close
 *     idempotency    400 409 422 429 503, or the answer to the same request before
 *     divert         413 429 503, or what becomes of the job that is made of it: 202, or the answer when it has run
 *     admit          429 503   one round trip to Redis, which hands out a ticket
 *     answer         400 502 503 504, or what the GPU server says
 *
 * The ticket is settled when the GPU server is done with the call, at the latest when the response has closed; then
 * `observe` runs, however it ended.
 */
export function createPublicApp(parts: PublicAppParts): FastifyInstance {
  const { config, models, exchanges } = parts;
  const hasCors = config.cors.origins.length > 0;
  const responder = new Responder(exchanges, hasCors);
  const open = openCall({ ...parts, responder, ended: endedBy(parts) });
  const faults: ConnectionFaults = {
    clientErrorHandler: refuseConnections({ ...parts, responder }),
    // A target that cannot be decoded has no route, so no hook runs.
    frameworkErrors: (error, request, reply) =>
      open(request, reply, () => responder.refuse(request, reply, refusalOfError(error))),
  };
  const app = createServer(config, faults, parts.tls);
  const authentication = createAuthentication({ ...parts, responder });
  const authenticate = authentication.step('inference');
  const tokenCounter = new TokenCounter(() => performance.now());
  parts.documentation.watch(app);
  const refuseOtherMethods = watchMethods(app, responder.refuse.bind(responder));

  app.decorateRequest('inference', null);
  app.decorateRequest('once', null);
  app.addHook('onRequest', open);
  if (hasCors) registerCors(app, config.cors);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', jsonBodyParser(config.listen.body_limit_bytes));
  app.setErrorHandler((error, request, reply) => responder.refuse(request, reply, refusalOfError(error)));

  app.after(() => {
    app.addHook('onRequest', unknownPath(responder));
    const divert = diversion({ ...parts, responder, authentication });
    for (const endpoint of endpoints) {
      app.route({
        method: 'POST',
        url: endpoint.path,
        onRequest: authenticate,
        preValidation: validate(endpoint, { ...parts, responder }),
        preHandler: [
          route({ ...parts, responder }),
          checkContextLength({ ...parts, responder, tokenCounter }),
          idempotency({ ...parts, responder, diversion: divert, replay: replay({ ...parts, responder }) }),
          divert.step,
          admitInference({ ...parts, responder, authentication }, divert.overLimit),
        ],
        handler: answer({ ...parts, responder }),
      });
    }
    const createdAt = Math.floor(Date.now() / 1_000);
    app.get(MODELS_PATH, { onRequest: authenticate }, listModels({ models, responder, createdAt }));
    app.get(`${MODELS_PATH}/*`, { onRequest: authenticate }, showModel({ models, responder, createdAt }));
    const limitMs = config.redis.command_timeout_ms;
    const onUsage = authentication.step('usage');
    app.get('/v1/usage', { onRequest: onUsage }, usageRoute({ ...parts, responder, limitMs }));
    registerJobs(app, { ...parts, responder, authenticate: authentication.step('jobs') });
    app.get('/', index({ ...parts, responder }));
    app.get('/health', health({ ...parts, responder }));
    if (config.listen.docs) registerPublicDocs(app, { ...parts, responder });
    registerPassthrough(app, { ...parts, responder, authenticate, authentication });
    app.after(refuseOtherMethods);
  });
  return app;
}

/** 404, before the body of whatever type is looked at, and behind the CORS headers. */
function unknownPath(responder: Responder): Step {
  return (request, reply, next) => {
    if (request.is404) responder.refuse(request, reply, NOTHING_HERE);
    else next();
  };
}

const NOTHING_HERE = refusal('not_found', 'There is nothing at this path.');
const MAX_HEADER_BYTES = 16_384;
/** Node looks for slow connections only every 30 s unless told. */
const CONNECTIONS_CHECK_MS = 1_000;

function createServer(
  { listen }: Config,
  faults: ConnectionFaults,
  tls: PublicAppParts['tls'],
): FastifyInstance {
  const http: ServerOptions = {
    headersTimeout: Math.min(listen.header_timeout_ms, listen.body_timeout_ms),
    connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Node would answer without a body; `openCall` looks at it.
    requireHostHeader: false,
  };
  // A server of HTTPS takes all of it in one, and is one of HTTP in all that is done with it here.
  const transport = (tls ? { https: { ...http, ...tls.serverOptions } } : { http }) as {
    http: ServerOptions;
  };
  const app = fastify({
    ...transport,
    ...faults,
    logger: false,
    genReqId: () => '',
    trustProxy: listen.trusted_proxies.length > 0 ? listen.trusted_proxies : false,
    bodyLimit: listen.body_limit_bytes,
    requestTimeout: listen.body_timeout_ms,
    keepAliveTimeout: listen.keep_alive_timeout_ms,
    exposeHeadRoutes: true,
    // A body is checked as it is: nothing coerced, removed or filled in.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
    // Names of models may be longer than the 100 characters that the router takes by itself.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
  });
  // Likewise.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  return app;
}

type ConnectionFaults = Pick<FastifyServerOptions, 'clientErrorHandler' | 'frameworkErrors'>;

/** Preflights are answered without a key; everything that is ours may be read by the page. */
function registerCors(app: FastifyInstance, { origins, max_age_seconds }: Config['cors']): void {
  app.register(cors, {
    origin: origins.includes('*') ? '*' : origins,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    credentials: false,
    maxAge: max_age_seconds,
    exposedHeaders: [
      'x-request-id',
      'x-process-time',
      'x-should-retry',
      'openai-processing-ms',
      'retry-after',
      'retry-after-ms',
      'server-timing',
      'x-sluice-attempts',
      ...limitHeaderNames,
      ...storedHeaderNames,
      ...jobHeaderNames,
    ],
    strictPreflight: false,
  });
  // The plugin answers preflights itself, past the responder.
  app.addHook('onSend', (request, reply, _payload, next) => {
    request.call.status = reply.statusCode;
    reply.header('x-request-id', request.call.requestId);
    next();
  });
}

function endedBy({ observe, untrustedForward }: PublicAppParts) {
  return (request: FastifyRequest, reply: FastifyReply, endedAtMs: number) => {
    if (request.headers['x-forwarded-for'] !== undefined) {
      const { remoteAddress } = request.raw.socket;
      if (remoteAddress === request.call.clientAddress) untrustedForward(remoteAddress);
    }
    // Calls that never went to a GPU server; all others are settled by now.
    request.call.settle?.('unsent');
    void request.once?.free();
    const finished = reply.raw.writableFinished;
    const { whenOver } = request.call;
    // Others, or nobody, may still listen to what this call pays for: its cost is not known before the end.
    if (whenOver) whenOver(() => observe(request, finished, endedAtMs));
    else observe(request, finished, endedAtMs);
  };
}
