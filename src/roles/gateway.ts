/** The gateway: a stateless replica with a public and an admin listener. Composes, listens, drains. */
import type { FastifyInstance } from 'fastify';
import packageJson from '../../package.json' with { type: 'json' };
import { createAdminApp } from '../admin/app.ts';
import type { AuditTrail } from '../admin/audit-trail.ts';
import type { Readiness } from '../admin/probes.ts';
import { createAuthenticator } from '../admission/authenticate.ts';
import { createPrincipals } from '../admission/jobs/principals.ts';
import type { OnceRequests } from '../admission/once.ts';
import { createSigningKeys } from '../admission/signatures/administration.ts';
import { createUsageReader } from '../admission/usage/usage-reader.ts';
import { routePriceList } from '../config/prices.ts';
import type { Config } from '../config/schema.ts';
import { createPublicApp } from '../http/app.ts';
import { Exchanges } from '../http/exchange.ts';
import { PublicDocumentation } from '../http/openapi/public-routes.ts';
import { ListenerTls } from '../http/tls.ts';
import { beginTracing } from '../telemetry/begin-tracing.ts';
import { certificateMetrics } from '../telemetry/certificate-metrics.ts';
import type { Log } from '../telemetry/log.ts';
import { CallObserver } from '../telemetry/observer.ts';
import { type Tracing, traceMetrics } from '../telemetry/tracing.ts';
import { SharedCalls } from '../upstream/shared/shared-calls.ts';
import { createAdmins } from './admins.ts';
import { drain } from './drain.ts';
import { Foundation } from './foundation.ts';
import { createGatewayJobs, createJobOperations, type GatewayJobs } from './gateway-jobs.ts';
import { announceReady, endInOrder } from './lifecycle.ts';
import { modelReports, upstreamReports } from './reports.ts';
import { type Begun, beginRole, listenOn, SETTLE_LIMIT_MS, TRACES_LIMIT_MS } from './serve.ts';
import { createSignatures } from './signatures.ts';
import { createOnceRequests, createResponseCache } from './stored-answers.ts';
import { createTokenWay } from './tokens.ts';
import { createWebhookAdministration } from './webhooks.ts';

/** How late a renewed certificate may come into force. */
const TLS_LOOK_EVERY_MS = 10_000;

export async function run(_argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const begun = beginRole('gateway', { env });
  const { log } = begun;
  const tls = await openTls(begun);
  const tracing = await beginTracing({
    ...{ role: 'gateway', version: packageJson.version, env, log: log.logger },
  });
  const gateway = new Gateway(begun, tracing, tls);
  process.on('SIGHUP', () => {
    log.reopen();
    void gateway.reload();
    void tls?.look();
  });
  const started = gateway.start(env.SLUICE_REUSE_PORT === '1');
  endInOrder({ drain: () => started.then(() => gateway.stop()) });
  await started;
}

class Gateway {
  readonly #config: Config;
  readonly #log: Log;
  readonly #exchanges = new Exchanges();
  readonly #shared = new SharedCalls();
  readonly #foundation: Foundation;
  readonly #observer: CallObserver;
  readonly #tracing: Tracing | undefined;
  readonly #tls: ListenerTls | undefined;
  readonly #authenticator: ReturnType<typeof createAuthenticator>;
  readonly #tokens: ReturnType<typeof createTokenWay>;
  readonly #once: OnceRequests;
  readonly #jobs: GatewayJobs;
  readonly #publicApp: FastifyInstance;
  readonly #adminApp: FastifyInstance;
  readonly #trail: AuditTrail;

  constructor({ config, log, load }: Begun, tracing: Tracing | undefined, tls: ListenerTls | undefined) {
    const { logger } = log;
    this.#tls = tls;
    this.#tracing = tracing;
    this.#config = config;
    this.#log = log;
    this.#foundation = new Foundation({
      config,
      log,
      load,
      role: 'gateway',
      activity: {
        requestsInFlight: () => this.#exchanges.size,
        streamsOpen: () => this.#exchanges.streams,
        draining: () => this.#exchanges.draining,
      },
      queue: () => this.#jobs.queue,
    });
    const { redis, metrics, limits, reloader, models, router, keys, drains } = this.#foundation;
    this.#once = createOnceRequests(config, redis, metrics);
    this.#jobs = createGatewayJobs(config, logger, limits.jobTickets, {
      onCommand: (kind, seconds, outcome) => metrics.redisAsked(kind, seconds, outcome),
    });
    this.#observer = new CallObserver(log, metrics, tracing);
    if (tracing) traceMetrics(metrics.registry, tracing);
    if (tls) certificateMetrics(metrics.make, tls);
    const data = {
      isTrusted: () => limits.installation.isTrusted(),
      isRevoked: (keyId: string) => limits.revocations.isRevoked(keyId),
    };
    this.#authenticator = createAuthenticator({
      redis,
      config,
      log: logger,
      data,
      onLookup: (outcome) => metrics.keyLookup(outcome),
    });
    this.#tokens = createTokenWay({
      ...{ config, redis, data, log: logger },
      onLookup: (outcome) => metrics.keyLookup(outcome),
    });
    const usage = createUsageReader({ redis, now: Date.now });
    const documentation = new PublicDocumentation({
      config,
      live: () => reloader.live,
      version: packageJson.version,
    });
    this.#publicApp = createPublicApp({
      config,
      documentation,
      live: () => reloader.live,
      version: packageJson.version,
      models,
      router,
      exchanges: this.#exchanges,
      shared: this.#shared,
      cache: createResponseCache(config, redis),
      cacheAsked: (result) => metrics.cacheAsked(result),
      once: this.#once,
      jobs: this.#jobs,
      authenticator: this.#authenticator,
      tokens: this.#tokens,
      signatures: createSignatures(config, redis, this.#authenticator.signers),
      admission: limits.admission,
      tracer: tracing,
      tls,
      estimator: limits.estimator,
      pricesOf: routePriceList(config),
      settlementFailed: ({ message, stack }) =>
        logger.error({ cause: message, stack }, 'a call cannot be settled'),
      usage,
      redis: redis.state,
      observe: ({ call }, finished, endedAtMs) => this.#observer.observe(call, finished, endedAtMs),
      untrustedForward: once((address) =>
        logger.warn(
          { address },
          'X-Forwarded-For from an address that is not in TRUSTED_PROXIES is not believed',
        ),
      ),
    });
    const admins = createAdmins({ redis, config, isTrusted: data.isTrusted, log: logger });
    this.#trail = admins.trail;
    this.#adminApp = createAdminApp({
      version: packageJson.version,
      publicDocument: () => documentation.text('admin'),
      ...admins,
      token: config.admin.token,
      keys: limits.revocations.watching(keys),
      signingKeys: createSigningKeys(redis, config, Date.now),
      webhooks: createWebhookAdministration(config, this.#jobs.queue, keys),
      usage,
      installation: limits.installation,
      bullQueues: this.#jobs.bullQueues,
      jobs: createJobOperations(this.#jobs, limits.jobTickets, createPrincipals({ redis, config, data })),
      log: logger,
      readiness: () => this.#readiness(),
      metrics: () => metrics.text(),
      upstreams: () => upstreamReports(models),
      drains,
      models: () => modelReports(models),
      policies: () => reloader.live.policies,
      reloadConfig: () => reloader.reload('admin'),
    });
  }

  async start(sharesPort: boolean): Promise<void> {
    const { listen, admin } = this.#config;
    this.#authenticator.start();
    this.#tokens?.start();
    this.#foundation.start();
    this.#once.start();
    const adminAddress = await listenOn(this.#adminApp, { host: admin.host, port: admin.port });
    await this.#foundation.firstContact();
    const address = await listenOn(this.#publicApp, {
      host: listen.host,
      port: listen.port,
      reusePort: sharesPort,
    });
    this.#tls?.watch(this.#publicApp.server);
    this.#log.logger.info({ address, admin: adminAddress, version: packageJson.version }, 'gateway listens');
    announceReady('gateway', { public: address, admin: adminAddress });
  }

  async reload(): Promise<void> {
    await this.#foundation.reloader.reload('signal');
  }

  async stop(): Promise<void> {
    const { limit_seconds, quiet_seconds } = this.#config.drain;
    const drained = drain({
      exchanges: this.#exchanges,
      shared: this.#shared,
      server: this.#publicApp.server,
      limitMs: limit_seconds * 1_000,
      quietMs: quiet_seconds * 1_000,
      log: this.#log.logger,
    });
    this.#jobs.watch.nudge();
    await drained;
    this.#jobs.close();
    this.#foundation.stopWatching();
    this.#tls?.stop();
    this.#tokens?.stop();
    await Promise.all([this.#authenticator.stop(), this.#once.stop(), this.#trail.stop()]);
    this.#observer.flush();
    await Promise.all([this.#foundation.stop(SETTLE_LIMIT_MS), this.#tracing?.stop(TRACES_LIMIT_MS)]);
    this.#observer.flush();
    this.#log.flush();
  }

  #readiness(): Readiness {
    const { draining } = this.#exchanges;
    const { redis } = this.#foundation;
    const { commands: queue } = this.#jobs.queue;
    const reached = redis.wasReached();
    return {
      ready: reached && !draining,
      detail: {
        gateway: draining ? 'draining' : reached ? 'ok' : 'starting',
        redis: reached ? redis.state() : 'connecting',
        queue: queue.wasReached() ? queue.state() : 'connecting',
        upstreams: this.#foundation.health(),
      },
    };
  }
}

async function openTls({ config, log: { logger } }: Begun): Promise<ListenerTls | undefined> {
  const { tls, header_timeout_ms: handshakeMs } = config.listen;
  if (!tls) return undefined;
  return ListenerTls.open({
    config: tls,
    handshakeMs,
    lookEveryMs: TLS_LOOK_EVERY_MS,
    wallMs: Date.now,
    log: logger,
  });
}

function once(act: (address: string) => void): (address: string) => void {
  let done = false;
  return (address) => {
    if (!done) act(address);
    done = true;
  };
}
