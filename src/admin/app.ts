import { randomUUID } from 'node:crypto';
import fastify, { type FastifyInstance } from 'fastify';
import type { AdminKeys } from '../admission/admins/admin-keys.ts';
import type { AdminStore } from '../admission/admins/admin-store.ts';
import type { Installation } from '../admission/installation.ts';
import type { KeyStore } from '../admission/keys/key-store.ts';
import type { SigningKeys } from '../admission/signatures/administration.ts';
import type { UsageReader } from '../admission/usage/usage-reader.ts';
import type { Policy } from '../core/policy.ts';
import { watchMethods } from '../http/methods.ts';
import { watchRoutes } from '../http/openapi/registered.ts';
import type { WebhookAdministration } from '../jobs/webhooks/administration.ts';
import type { AuditTable } from '../redis/audit-table.ts';
import type { Logger } from '../telemetry/log.ts';
import { adminRoutes } from './admins.ts';
import { answerBrokenHttp, answerFaults, answerUnknownPath, refuse } from './answers.ts';
import { auditRoutes } from './audit.ts';
import type { AuditTrail } from './audit-trail.ts';
import { demandRole, Gate } from './authorization.ts';
import { type ConfigDependencies, configRoutes } from './config.ts';
import { importRoutes } from './import.ts';
import { installationRoutes } from './installation.ts';
import { type JobDependencies, jobRoutes } from './jobs.ts';
import { Journal } from './journal.ts';
import { keyRoutes } from './keys.ts';
import type { ModelReport } from './model-report.ts';
import { type DocumentationDependencies, documentationRoutes } from './openapi/routes.ts';
import { probeRoutes, type Readiness } from './probes.ts';
import { BOARD_PATH, type BoardDependencies, queueBoard } from './queue-board.ts';
import { signingKeyRoutes } from './signing-keys.ts';
import { tenantRoutes } from './tenants.ts';
import { type UpstreamDependencies, upstreamRoutes } from './upstreams.ts';
import { usageRoutes } from './usage.ts';
import { compileZod } from './validation.ts';
import { webhookRoutes } from './webhooks.ts';

export interface AdminDependencies
  extends BoardDependencies,
    ConfigDependencies,
    DocumentationDependencies,
    JobDependencies,
    UpstreamDependencies {
  /** Undefined: /admin/* is off. */
  readonly token: string | undefined;
  readonly admins: AdminStore;
  readonly adminKeys: Pick<AdminKeys, 'check'>;
  readonly audit: Pick<AuditTable, 'read'>;
  readonly trail: Pick<AuditTrail, 'append' | 'keep'>;
  readonly keys: KeyStore;
  readonly signingKeys: SigningKeys;
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

/** The admin listener: probes and metrics, open to whoever reaches it, and the admin API behind its roles. */
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

  const routes = watchRoutes(app);
  app.register(async (scope) => {
    const refuseOtherMethods = watchMethods(scope, refuse);
    probeRoutes(scope, dependencies);
    documentationRoutes(scope, dependencies, routes);
    refuseOtherMethods();
  });
  const { log, trail, token, adminKeys: keys, now = Date.now } = dependencies;
  const journal = new Journal({ log, trail, now });
  const gate = token === undefined ? undefined : new Gate({ token, keys, log, now });
  const guard = { gate, journal, log };
  app.decorateRequest('admin');
  app.register(queueBoard(dependencies, demandRole(guard, 'basic_too')), { prefix: BOARD_PATH });
  app.register(adminApi({ ...dependencies, journal }, demandRole(guard)), { prefix: '/admin' });
  return app;
}

function adminApi(
  dependencies: AdminDependencies & { readonly journal: Journal },
  guard: ReturnType<typeof demandRole>,
) {
  return async (scope: FastifyInstance): Promise<void> => {
    // Before everything else of this scope, so that a path is not even found without a token.
    scope.addHook('onRequest', guard);
    scope.setNotFoundHandler(answerUnknownPath);

    const refuseOtherMethods = watchMethods(scope, refuse);
    keyRoutes(scope, dependencies);
    signingKeyRoutes(scope, dependencies);
    tenantRoutes(scope, dependencies);
    webhookRoutes(scope, dependencies);
    upstreamRoutes(scope, dependencies);
    jobRoutes(scope, dependencies);
    scope.get('/v1/models', async () => ({ object: 'list', data: dependencies.models() }));
    scope.get('/v1/policies', async () => ({ object: 'list', data: dependencies.policies() }));
    configRoutes(scope, dependencies);
    usageRoutes(scope, dependencies);
    installationRoutes(scope, dependencies);
    adminRoutes(scope, dependencies);
    auditRoutes(scope, dependencies);
    await scope.register(importRoutes(dependencies));
    refuseOtherMethods();
  };
}
