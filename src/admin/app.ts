import { randomUUID } from 'node:crypto';
import fastify, { type FastifyInstance } from 'fastify';
import type { Installation } from '../admission/installation.ts';
import type { KeyStore } from '../admission/keys/key-store.ts';
import type { UsageReader } from '../admission/usage/usage-reader.ts';
import type { Policy } from '../core/policy.ts';
import { watchMethods } from '../http/methods.ts';
import type { WebhookAdministration } from '../jobs/webhooks/administration.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Health } from '../upstream/upstream.ts';
import { answerBrokenHttp, answerFaults, answerUnknownPath, refuse } from './answers.ts';
import { demandToken } from './authorization.ts';
import { type ConfigDependencies, configRoutes } from './config.ts';
import { importRoutes } from './import.ts';
import { installationRoutes } from './installation.ts';
import { type JobDependencies, jobRoutes } from './jobs.ts';
import { keyRoutes } from './keys.ts';

import { probeRoutes, type Readiness } from './probes.ts';
import { BOARD_PATH, type BoardDependencies, queueBoard } from './queue-board.ts';
import { tenantRoutes } from './tenants.ts';
import { type UpstreamDependencies, upstreamRoutes } from './upstreams.ts';
import { usageRoutes } from './usage.ts';
import { compileZod } from './validation.ts';
import { webhookRoutes } from './webhooks.ts';

/** A model as this gateway serves it now. */
export interface ModelReport {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly context_length: number | null;
  readonly choice: string;
  readonly session_headers: readonly string[];
  readonly sticky: string;
  readonly fallbacks: readonly string[];
  readonly versions: readonly {
    /** Null: the model has no versions. */
    readonly name: string | null;
    readonly weight: number;
    /** Of the calls that name no version, between 0 and 1. */
    readonly share: number;
    readonly upstreams: readonly {
      readonly name: string;
      readonly weight: number;
      readonly upstream_model: string;
      readonly status: Health;
    }[];
  }[];
}

export interface AdminDependencies
  extends BoardDependencies,
    ConfigDependencies,
    JobDependencies,
    UpstreamDependencies {
  /** Undefined: /admin/* is off. */
  readonly token: string | undefined;
  readonly keys: KeyStore;
  readonly webhooks: WebhookAdministration;
  readonly usage: UsageReader;
  readonly installation: Pick<Installation, 'accept'>;
  readonly log: Logger;
  /** Wall clock in milliseconds; default: this machine's. */
  now?(): number;
  readiness(): Readiness;
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  models(): readonly ModelReport[];
  /** Those that the gateway works with now. */
  policies(): readonly Policy[];
}

const BODY_LIMIT_BYTES = 1_000_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** The admin listener: probes and metrics, open to whoever reaches it, and the admin API behind its token. */
export function createAdminApp(dependencies: AdminDependencies): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    // Names of upstreams, encoded.
    routerOptions: { maxParamLength: 400 },
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Node looks at connections only every 30 s unless told.
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 5_000 },
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && /^[\x21-\x7e]{1,128}$/.test(given) ? given : randomUUID();
    },
    frameworkErrors: answerFaults(dependencies.log),
    clientErrorHandler: answerBrokenHttp,
  });
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler(answerFaults(dependencies.log));
  app.setNotFoundHandler(answerUnknownPath);
  app.setValidatorCompiler(compileZod);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'x-request-id': request.id, 'cache-control': 'no-store' });
  });

  app.register(async (scope) => {
    const refuseOtherMethods = watchMethods(scope, refuse);
    probeRoutes(scope, dependencies);
    refuseOtherMethods();
  });
  app.register(queueBoard(dependencies), { prefix: BOARD_PATH });
  app.register(adminApi(dependencies), { prefix: '/admin' });
  return app;
}

function adminApi(dependencies: AdminDependencies) {
  return async (scope: FastifyInstance): Promise<void> => {
    // Before everything else of this scope, so that a path is not even found without the token.
    scope.addHook('onRequest', demandToken(dependencies.token, dependencies.log));
    scope.setNotFoundHandler(answerUnknownPath);

    const refuseOtherMethods = watchMethods(scope, refuse);
    keyRoutes(scope, dependencies);
    tenantRoutes(scope, dependencies);
    webhookRoutes(scope, dependencies);
    upstreamRoutes(scope, dependencies);
    jobRoutes(scope, dependencies);
    scope.get('/v1/models', async () => ({ object: 'list', data: dependencies.models() }));
    scope.get('/v1/policies', async () => ({ object: 'list', data: dependencies.policies() }));
    configRoutes(scope, dependencies);
    usageRoutes(scope, dependencies);
    installationRoutes(scope, dependencies);
    await scope.register(importRoutes(dependencies));
    refuseOtherMethods();
  };
}
