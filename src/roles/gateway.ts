/** The gateway: a stateless replica with a public and an admin listener. Composes, listens, drains. */
import type { AddressInfo, ListenOptions } from 'node:net';
import type { FastifyInstance } from 'fastify';
import packageJson from '../../package.json' with { type: 'json' };
import { createAdminApp } from '../admin/app.ts';
import type { Readiness } from '../admin/probes.ts';
import { AssembledAdmission } from '../admission/assemble.ts';
import { createAuthenticator } from '../admission/authenticate.ts';
import { createKeyStore } from '../admission/keys/key-store.ts';
import { createUsageReader } from '../admission/usage/usage-reader.ts';
import { formatFault } from '../config/fault.ts';
import { type LoadResult, loadConfig } from '../config/load.ts';
import { routePriceList } from '../config/prices.ts';
import type { Config } from '../config/schema.ts';
import { createPublicApp } from '../http/app.ts';
import { Exchanges } from '../http/exchange.ts';
import { connectRedis, type RedisConnection } from '../redis/connection.ts';
import { createLog, type Log } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { CallObserver } from '../telemetry/observer.ts';
import { Drains } from '../upstream/health/drains.ts';
import { Models } from '../upstream/models.ts';
import { Prober } from '../upstream/probe.ts';
import { Router } from '../upstream/router.ts';
import { drain } from './drain.ts';
import { announceReady, endInOrder } from './lifecycle.ts';
import { ConfigReloader } from './reload.ts';
import { modelReports, serverPools, upstreamReports } from './reports.ts';

export async function run(_argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const loaded = loadConfig({ env });
  if (!loaded.ok)
    throw new Error(`The configuration has faults.\n${loaded.faults.map(formatFault).join('\n')}`);
  const { config } = loaded;
  const log = createLog(config.log, { role: 'gateway', pid: process.pid });
  for (const warning of loaded.warnings) log.logger.warn(formatFault(warning));
  failLoudly(log);

  const gateway = new Gateway(config, log, () => loadConfig({ env }));
  process.on('SIGHUP', () => {
    log.reopen();
    void gateway.reload();
  });
  await gateway.start(env.SLUICE_REUSE_PORT === '1');
  endInOrder({ drain: () => gateway.stop() });
}

/** What the last calls have cost goes to Redis before the process leaves. */
const SETTLE_LIMIT_MS = 2_000;

class Gateway {
  readonly #config: Config;
  readonly #log: Log;
  readonly #exchanges = new Exchanges();
  readonly #models: Models;
  readonly #router: Router;
  readonly #prober: Prober;
  readonly #reloader: ConfigReloader;
  readonly #redis: RedisConnection;
  readonly #metrics: Metrics;
  readonly #observer: CallObserver;
  readonly #authenticator: ReturnType<typeof createAuthenticator>;
  readonly #limits: AssembledAdmission;
  readonly #drains: Drains;
  readonly #publicApp: FastifyInstance;
  readonly #adminApp: FastifyInstance;

  constructor(config: Config, log: Log, load: () => LoadResult) {
    const { logger } = log;
    this.#config = config;
    this.#log = log;
    this.#models = new Models(config);
    this.#router = new Router({
      now: () => performance.now(),
      random: Math.random,
      waiting: { callsMax: config.waiting.calls_max, waitMsMax: config.waiting.seconds_max * 1_000 },
    });
    this.#prober = new Prober(this.#models, {
      frozen: ({ waiting }) => waiting.moveAllAway(),
      pools: () => serverPools(this.#models),
      probed: ({ name }, result, tookMs) => this.#metrics.probed(name, result, tookMs / 1_000),
      stateChanged: (change) => {
        const level = change.to === 'down' || change.to === 'ejected' ? 'warn' : 'info';
        logger[level](change, 'state of a GPU server');
      },
    });
    this.#reloader = new ConfigReloader({
      started: config,
      load,
      models: this.#models,
      probe: (upstream) => {
        this.#drains.applyTo(upstream);
        return this.#prober.probe(upstream);
      },
      log: logger,
    });
    this.#redis = connectRedis(config.redis, logger, {
      onCommand: (kind, seconds, outcome) => this.#metrics.redisAsked(kind, seconds, outcome),
    });
    const keys = createKeyStore({ redis: this.#redis, config, now: Date.now });
    this.#metrics = new Metrics({
      requestsInFlight: () => this.#exchanges.size,
      streamsOpen: () => this.#exchanges.streams,
      redisUp: () => this.#redis.state() === 'ok',
      draining: () => this.#exchanges.draining,
      ticketsOpen: () => this.#limits.openTickets,
      settlementsWaiting: () => this.#limits.backlog,
      replicas: () => this.#limits.replicas.alive(),
      installationLost: () => this.#limits.installation.isLost(),
      callsWaiting: () => this.#router.waiting,
      upstreams: () => this.#upstreamReadings(),
    });
    this.#limits = new AssembledAdmission({
      config,
      version: packageJson.version,
      redis: this.#redis,
      keys,
      models: () => this.#models.list().map(({ name }) => name),
      inFlight: () => this.#inFlight(),
      observer: this.#metrics,
      log: logger,
    });
    this.#drains = new Drains({
      redis: this.#redis,
      upstreams: () => this.#models.upstreams,
      isTrusted: () => this.#limits.installation.isTrusted(),
      log: logger,
    });
    this.#observer = new CallObserver(log, this.#metrics);
    this.#authenticator = createAuthenticator({
      redis: this.#redis,
      config,
      log: logger,
      data: {
        isTrusted: () => this.#limits.installation.isTrusted(),
        isRevoked: (keyId) => this.#limits.revocations.isRevoked(keyId),
      },
      onLookup: (outcome) => this.#metrics.keyLookup(outcome),
    });
    const usage = createUsageReader({ redis: this.#redis, now: Date.now });
    this.#publicApp = createPublicApp({
      config,
      live: () => this.#reloader.live,
      version: packageJson.version,
      models: this.#models,
      router: this.#router,
      exchanges: this.#exchanges,
      authenticator: this.#authenticator,
      admission: this.#limits.admission,
      estimator: this.#limits.estimator,
      pricesOf: routePriceList(config),
      settlementFailed: ({ message, stack }) =>
        logger.error({ cause: message, stack }, 'a call cannot be settled'),
      usage,
      redis: this.#redis.state,
      observe: ({ call }, finished, endedAtMs) => this.#observer.observe(call, finished, endedAtMs),
      untrustedForward: once((address) =>
        logger.warn(
          { address },
          'X-Forwarded-For from an address that is not in TRUSTED_PROXIES is not believed',
        ),
      ),
    });
    this.#adminApp = createAdminApp({
      token: config.admin.token,
      keys: this.#limits.revocations.watching(keys),
      usage,
      installation: this.#limits.installation,
      log: logger,
      readiness: () => this.#readiness(),
      metrics: () => this.#metrics.text(),
      upstreams: () => upstreamReports(this.#models),
      drains: this.#drains,
      models: () => modelReports(this.#models),
      reloadConfig: () => this.#reloader.reload('admin'),
    });
  }

  async start(sharesPort: boolean): Promise<void> {
    const { listen, admin } = this.#config;
    this.#authenticator.start();
    this.#limits.start();
    this.#drains.start();
    const adminAddress = await listenOn(this.#adminApp, { host: admin.host, port: admin.port });
    // A balancer asks /ready; until Redis and the servers have been looked at it says 503, so nothing waits here.
    await Promise.race([this.#prober.start(), this.#redis.reached()]);
    const address = await listenOn(this.#publicApp, {
      host: listen.host,
      port: listen.port,
      reusePort: sharesPort,
    });
    this.#log.logger.info({ address, admin: adminAddress, version: packageJson.version }, 'gateway listens');
    announceReady('gateway', { public: address, admin: adminAddress });
  }

  async reload(): Promise<void> {
    await this.#reloader.reload('signal');
  }

  async stop(): Promise<void> {
    const { limit_seconds, quiet_seconds } = this.#config.drain;
    await drain({
      exchanges: this.#exchanges,
      server: this.#publicApp.server,
      limitMs: limit_seconds * 1_000,
      quietMs: quiet_seconds * 1_000,
      log: this.#log.logger,
    });
    this.#prober.stop();
    this.#drains.stop();
    this.#authenticator.stop();
    await this.#limits.stop(SETTLE_LIMIT_MS);
    await this.#models.close();
    this.#redis.close();
    this.#observer.flush();
    this.#log.flush();
  }

  #readiness(): Readiness {
    const { draining } = this.#exchanges;
    const reached = this.#redis.wasReached();
    return {
      ready: reached && !draining,
      detail: {
        gateway: draining ? 'draining' : reached ? 'ok' : 'starting',
        redis: reached ? this.#redis.state() : 'connecting',
        upstreams: Object.fromEntries(
          [...this.#models.upstreams.values()].map((one) => [one.name, one.health]),
        ),
      },
    };
  }

  #inFlight(): Record<string, number> {
    const { replicas } = this.#limits;
    const nowMs = performance.now();
    const counts: Record<string, number> = {};
    for (const { name, load } of this.#models.upstreams.values()) {
      load.setOthers(replicas.inFlightOfOthers(name), nowMs);
      counts[name] = load.inFlight;
    }
    return counts;
  }

  *#upstreamReadings() {
    const nowMs = performance.now();
    for (const { name, health, load, serverHealth } of this.#models.upstreams.values()) {
      yield {
        name,
        healthy: health === 'healthy',
        inFlight: load.inFlight,
        state: serverHealth.state(nowMs),
        ejections: serverHealth.ejections,
      };
    }
  }
}

async function listenOn(app: FastifyInstance, options: ListenOptions): Promise<string> {
  await app.ready();
  await new Promise<void>((resolve, reject) => {
    app.server.once('error', reject);
    app.server.listen(options, () => {
      app.server.removeListener('error', reject);
      resolve();
    });
  });
  const { address, family, port } = app.server.address() as AddressInfo;
  const shown = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address;
  return `http://${family === 'IPv6' && shown !== '127.0.0.1' ? `[${shown}]` : shown}:${port}`;
}

/** A fault that nobody caught leaves an unknown state: say it, and let the supervisor start a new process. */
function failLoudly(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.logger.fatal({ error: error.message, stack: error.stack }, 'uncaught exception');
    log.flush();
    process.exit(1);
  });
}

function once(act: (address: string) => void): (address: string) => void {
  let done = false;
  return (address) => {
    if (!done) act(address);
    done = true;
  };
}
