/**
 * What every process that calls GPU servers stands on: the models and their servers, watched and chosen from; the way
 * to Redis; admission and settlement; metrics. Gateways and workers differ in where their calls come from.
 */
import packageJson from '../../package.json' with { type: 'json' };
import { AssembledAdmission } from '../admission/assemble.ts';
import { createKeyStore, type KeyStore } from '../admission/keys/key-store.ts';
import type { LoadResult } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { connectRedis, type RedisConnection } from '../redis/connection.ts';
import type { QueueConnection } from '../redis/queue-connection.ts';
import type { Log } from '../telemetry/log.ts';
import { Metrics, type Readings } from '../telemetry/metrics.ts';
import { Drains } from '../upstream/health/drains.ts';
import { Models } from '../upstream/models.ts';
import { Prober } from '../upstream/probe.ts';
import { LoadReports } from '../upstream/reports/load-reports.ts';
import { Router } from '../upstream/router.ts';
import type { Health } from '../upstream/upstream.ts';
import { ConfigReloader } from './reload.ts';
import { modelReadings, redisReading, serverPools, upstreamReadings } from './reports.ts';

interface FoundationParts {
  readonly config: Config;
  readonly log: Log;
  /** Reads the configuration anew. */
  readonly load: () => LoadResult;
  /** Gateways alone let calls in while Redis is away. */
  readonly role: 'gateway' | 'worker';
  /** Of the calls of this process. */
  readonly activity: {
    requestsInFlight(): number;
    streamsOpen(): number;
    draining(): boolean;
  };
  /** The way to the Redis of jobs, which is opened later. */
  readonly queue: () => QueueConnection;
}

const FIRST_CONTACT_MS = 2_000;

export class Foundation {
  readonly models: Models;
  readonly router: Router;
  readonly reloader: ConfigReloader;
  readonly redis: RedisConnection;
  readonly keys: KeyStore;
  readonly metrics: Metrics;
  readonly limits: AssembledAdmission;
  readonly drains: Drains;
  readonly #prober: Prober;
  readonly #loadReports: LoadReports;

  constructor({ config, log: { logger }, load, role, activity, queue }: FoundationParts) {
    this.models = new Models(config);
    this.router = new Router({
      now: () => performance.now(),
      random: Math.random,
      waiting: { callsMax: config.waiting.calls_max, waitMsMax: config.waiting.seconds_max * 1_000 },
    });
    this.#prober = new Prober(this.models, {
      frozen: ({ waiting }) => waiting.moveAllAway(),
      pools: () => serverPools(this.models),
      probed: ({ name }, result, tookMs) => this.metrics.probed(name, result, tookMs / 1_000),
      stateChanged: (change) => {
        const level = change.to === 'down' || change.to === 'ejected' ? 'warn' : 'info';
        logger[level](change, 'state of a GPU server');
      },
    });
    this.reloader = new ConfigReloader({
      started: config,
      load,
      models: this.models,
      probe: (upstream) => {
        this.drains.applyTo(upstream);
        return this.#prober.probe(upstream);
      },
      wallMs: Date.now,
      log: logger,
    });
    this.redis = connectRedis(config.redis, logger, {
      onCommand: (kind, seconds, outcome) => this.metrics.redisAsked(kind, seconds, outcome),
    });
    this.keys = createKeyStore({
      redis: this.redis,
      config,
      policyNames: () => this.reloader.live.policies.map(({ name }) => name),
      now: Date.now,
    });
    const readings: Readings = {
      ...activity,
      redis: {
        limits: () => redisReading(this.redis),
        queue: () => redisReading(queue().commands),
        payloads: () => redisReading(queue().payloads),
      },
      ticketsOpen: () => this.limits.openTickets,
      settlementsWaiting: () => this.limits.backlog,
      replicas: () => this.limits.replicas.alive(),
      installationLost: () => this.limits.installation.isLost(),
      callsWaiting: () => this.router.waiting,
      upstreams: () => upstreamReadings(this.models),
      models: () => modelReadings(this.models, this.router),
      config: () => this.reloader,
    };
    this.metrics = new Metrics(readings, {
      ...{ role, version: packageJson.version, tenantsMax: config.metrics.tenants_max },
    });
    this.limits = new AssembledAdmission({
      config,
      version: packageJson.version,
      hasShare: role === 'gateway',
      redis: this.redis,
      keys: this.keys,
      models: () => this.models.list().map(({ name }) => name),
      inFlight: () => this.#inFlight(),
      observer: this.metrics,
      log: logger,
    });
    this.drains = new Drains({
      redis: this.redis,
      upstreams: () => this.models.upstreams,
      isTrusted: () => this.limits.installation.isTrusted(),
      log: logger,
    });
    this.#loadReports = new LoadReports({
      redis: this.redis,
      upstreams: () => this.models.upstreams,
      now: () => performance.now(),
      random: Math.random,
      log: logger,
    });
  }

  start(): void {
    this.limits.start();
    this.drains.start();
    this.#loadReports.start();
  }

  /**
   * Settles when Redis has been reached, within `FIRST_CONTACT_MS` in any case: whoever listens before that would answer
   * 503 where a balancer would have asked the next one.
   */
  async firstContact(): Promise<void> {
    void this.#prober.start();
    const late = AbortSignal.timeout(FIRST_CONTACT_MS);
    await Promise.race([
      this.redis.reached(),
      new Promise((resolve) => late.addEventListener('abort', resolve)),
    ]);
  }

  /** No more news of the servers; calls may still be settled. */
  stopWatching(): void {
    this.#prober.stop();
    this.drains.stop();
    this.#loadReports.stop();
  }

  /** After the last call. @param settleMs for what calls have cost to reach Redis */
  async stop(settleMs: number): Promise<void> {
    await this.limits.stop(settleMs);
    await this.models.close();
    this.redis.close();
  }

  /** How the GPU servers are, by name. */
  health(): Record<string, Health> {
    return Object.fromEntries([...this.models.upstreams.values()].map((one) => [one.name, one.health]));
  }

  #inFlight(): Record<string, number> {
    const { replicas } = this.limits;
    const nowMs = performance.now();
    const counts: Record<string, number> = {};
    for (const { name, load } of this.models.upstreams.values()) {
      load.setOthers(replicas.inFlightOfOthers(name), nowMs);
      counts[name] = load.inFlight;
    }
    return counts;
  }
}
