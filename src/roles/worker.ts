/** The worker: runs jobs, any number of processes on any number of machines. Composes, works, drains. */
import type { FastifyInstance } from 'fastify';
import packageJson from '../../package.json' with { type: 'json' };
import { createProbeApp } from '../admin/probe-app.ts';
import type { WorkerReadiness } from '../admin/probes.ts';
import { createPrincipals } from '../admission/jobs/principals.ts';
import type { Config } from '../config/schema.ts';
import { LineReadings } from '../jobs/line-readings.ts';
import type { RunReport } from '../jobs/run-parts.ts';
import { JobSweeper } from '../jobs/sweep.ts';
import type { Mailroom } from '../jobs/webhooks/mailroom.ts';
import { JobWorker } from '../jobs/worker.ts';
import { jobTable } from '../redis/job-table.ts';
import { jobUpkeep } from '../redis/job-upkeep.ts';
import { connectQueue, type QueueConnection } from '../redis/queue-connection.ts';
import { beginTracing } from '../telemetry/begin-tracing.ts';
import { JobMetrics } from '../telemetry/job-metrics.ts';
import type { Log } from '../telemetry/log.ts';
import { type Tracing, traceMetrics } from '../telemetry/tracing.ts';
import { Foundation } from './foundation.ts';
import { endedRun, lineNames } from './job-figures.ts';
import { announceReady, endInOrder } from './lifecycle.ts';
import { type Begun, beginRole, listenOn, SETTLE_LIMIT_MS, TRACES_LIMIT_MS } from './serve.ts';
import { createMailroom } from './webhooks.ts';

/** Beside a gateway on the same machine. */
const ADMIN_PORT = 8082;

export async function run(_argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const begun = beginRole('worker', { env, defaults: { admin: { port: ADMIN_PORT } } });
  const { log } = begun;
  const tracing = await beginTracing({
    ...{ role: 'worker', version: packageJson.version, env, log: log.logger },
  });
  const worker = new WorkerProcess(begun, tracing);
  process.on('SIGHUP', () => {
    log.reopen();
    void worker.reload();
  });
  const started = worker.start();
  endInOrder({ drain: () => started.then(() => worker.stop()) });
  await started;
}

class WorkerProcess {
  readonly #config: Config;
  readonly #log: Log;
  readonly #foundation: Foundation;
  readonly #connection: QueueConnection;
  readonly #worker: JobWorker;
  readonly #mailroom: Mailroom;
  readonly #readings: LineReadings;
  readonly #sweeper: JobSweeper;
  readonly #adminApp: FastifyInstance;
  readonly #tracing: Tracing | undefined;
  #draining = false;

  constructor({ config, log, load }: Begun, tracing: Tracing | undefined) {
    this.#config = config;
    this.#tracing = tracing;
    this.#log = log;
    this.#foundation = new Foundation({
      config,
      log,
      load,
      role: 'worker',
      activity: {
        requestsInFlight: () => this.#worker.running,
        streamsOpen: () => 0,
        draining: () => this.#draining,
      },
      queue: () => this.#connection,
    });
    const { redis, metrics, limits, reloader, models, router } = this.#foundation;
    this.#connection = connectQueue(config, log.logger, {
      onCommand: (kind, seconds, outcome) => metrics.redisAsked(kind, seconds, outcome),
    });
    const upkeep = jobUpkeep(this.#connection.commands);
    this.#readings = new LineReadings({
      upkeep,
      lines: () => lineNames(models, config),
      now: () => performance.now(),
    });
    this.#sweeper = new JobSweeper({
      ...{ upkeep, table: jobTable(this.#connection.commands), tickets: limits.jobTickets },
      log: log.logger,
    });
    const jobMetrics = new JobMetrics(metrics, {
      queue: () => this.#readings.current(),
      running: () => this.#worker.running,
      concurrency: () => config.worker.concurrency,
    });
    if (tracing) traceMetrics(metrics.registry, tracing);
    this.#worker = new JobWorker({
      ...{ config, connection: this.#connection, models, router, log: log.logger },
      timeouts: () => reloader.live.timeouts,
      tickets: limits.jobTickets,
      principals: createPrincipals({
        redis,
        config,
        data: {
          isTrusted: () => limits.installation.isTrusted(),
          isRevoked: (keyId) => limits.revocations.isRevoked(keyId),
        },
      }),
      estimator: limits.estimator,
      tracer: tracing,
      onRun: (report) => {
        const nowMs = performance.now();
        jobMetrics.ran(endedRun(report, nowMs, Date.now()));
        const { call } = report;
        if (call) metrics.jobCall(call);
        if (call?.trace) tracing?.run({ ...report, call, endedAtMs: nowMs });
        this.#log.logger.info(lineOf(report), 'run of a job');
        this.#mailroom.wake();
      },
      onSilent: () => this.#leave(),
    });
    this.#mailroom = createMailroom({
      ...{ config, connection: this.#connection, metrics, log: log.logger },
      onSilent: () => this.#leave(),
    });
    this.#adminApp = createProbeApp(
      { readiness: () => this.#readiness(), metrics: () => metrics.text() },
      log.logger,
    );
  }

  async start(): Promise<void> {
    const { admin } = this.#config;
    this.#foundation.start();
    const adminAddress = await listenOn(this.#adminApp, { host: admin.host, port: admin.port });
    await this.#foundation.firstContact();
    this.#worker.start();
    this.#mailroom.start();
    this.#readings.start();
    this.#sweeper.start();
    this.#log.logger.info({ admin: adminAddress, version: packageJson.version }, 'worker works');
    announceReady('worker', { admin: adminAddress });
  }

  async reload(): Promise<void> {
    await this.#foundation.reloader.reload('signal');
  }

  async stop(): Promise<void> {
    this.#draining = true;
    this.#log.logger.info({ phase: 'wait', running: this.#worker.running }, 'drain');
    this.#readings.stop();
    await this.#sweeper.stop();
    const drainMs = this.#config.drain.limit_seconds * 1_000;
    await Promise.all([this.#worker.stop(drainMs), this.#mailroom.stop(drainMs)]);
    this.#log.logger.info({ phase: 'done' }, 'drain');
    this.#foundation.stopWatching();
    await Promise.all([this.#foundation.stop(SETTLE_LIMIT_MS), this.#tracing?.stop(TRACES_LIMIT_MS)]);
    this.#connection.close();
    this.#log.flush();
  }

  /** The supervisor starts another one. What runs goes back. */
  #leave(): void {
    void this.stop().finally(() => process.exit(1));
  }

  #readiness(): WorkerReadiness {
    const { redis } = this.#foundation;
    const { commands } = this.#connection;
    const reached = redis.wasReached() && commands.wasReached();
    return {
      ready: reached && !this.#draining,
      detail: {
        worker: this.#draining ? 'draining' : reached ? 'ok' : 'starting',
        redis: redis.wasReached() ? redis.state() : 'connecting',
        queue: commands.wasReached() ? commands.state() : 'connecting',
        running: this.#worker.running,
        upstreams: this.#foundation.health(),
      },
    };
  }
}

/** No prompt, no answer, no key. */
function lineOf({ jobId, attempt, outcome, reason, spec, call }: RunReport): object {
  const nowMs = performance.now();
  return {
    job: jobId,
    attempt,
    outcome,
    reason: reason || undefined,
    request_id: spec?.request_id,
    trace_id: call?.trace?.traceId,
    tenant: spec?.tenant,
    key: spec?.key_id,
    model: spec?.model,
    version: spec?.version ?? undefined,
    upstream: call?.upstream,
    status: call?.status,
    tried: call && call.attempts > 1 ? call.tried(call.status) : undefined,
    tokens_in: call?.usage?.inputTokens,
    tokens_out: call?.usage?.outputTokens,
    bytes_out: call?.bytesOut,
    waited_ms: spec && Math.max(0, Date.now() - spec.created_at_ms),
    took_ms: call && Math.round(nowMs - call.startedAtMs),
  };
}
