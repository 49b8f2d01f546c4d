/**
 * The metrics of a worker of jobs. What is said of the queue every worker says of the same queue: take the maximum over
 * them, not the sum. Names of models, lines and routes come from the configuration.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** As src/redis/job-upkeep.ts reads it. */
interface QueueReading {
  readonly jobs: number;
  readonly bytes: number;
  readonly drainedAtMs: number | undefined;
  readonly lines: Iterable<{
    readonly line: string;
    readonly waiting: number;
    readonly oldestMs: number;
    readonly handed: number;
    readonly parkedTenants: number;
  }>;
}

export interface JobReadings {
  /** Undefined: Redis has not said lately. */
  queue(): QueueReading | undefined;
  /** Jobs that this process runs. */
  running(): number;
  /** The most that it may. */
  concurrency(): number;
}

export interface EndedRun {
  /** Of the code: as jobs/run-parts.ts lists them. */
  readonly outcome: string;
  readonly reason: string;
  /** Undefined: the request of the job could not be read. */
  readonly model: string | undefined;
  readonly tenant: string | undefined;
  /** From its acceptance until this run began. */
  readonly waitSeconds: number | undefined;
  /** Undefined: no GPU server was asked. */
  readonly runSeconds: number | undefined;
}

const WAIT_SECONDS = [0.05, 0.25, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400];
const RUN_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560];
/** Those who come first after the start have a series of their own. */
const TENANTS_MAX = 100;

export class JobMetrics {
  readonly #registry: Registry;
  readonly #tenants = new Set<string>();
  /** How do attempts end, and why? */
  readonly #runs: Counter;
  /** Do jobs wait longer than their callers will bear? */
  readonly #wait: Histogram;
  readonly #run: Histogram;
  /** Who fills the queue, and who waits? */
  readonly #tenantRuns: Counter;
  readonly #tenantWait: Counter;
  readonly #tenantRun: Counter;

  constructor(registry: Registry, readings: JobReadings) {
    this.#registry = registry;
    this.#runs = this.#counter(
      'sluice_job_attempts_total',
      'Runs of jobs that have ended, by how and why; those that completed or failed have ended their job.',
      ['model', 'outcome', 'reason'],
    );
    this.#wait = this.#histogram(
      'sluice_job_wait_seconds',
      'From the acceptance of a job to the beginning of the run that ended it.',
      WAIT_SECONDS,
    );
    this.#run = this.#histogram('sluice_job_run_seconds', 'Of one run that asked a GPU server.', RUN_SECONDS);
    this.#tenantRuns = this.#counter('sluice_tenant_jobs_total', 'Runs of jobs that have ended.', [
      'tenant',
      'outcome',
    ]);
    this.#tenantWait = this.#counter(
      'sluice_tenant_job_wait_seconds_total',
      'Sum of the times from the acceptance of a job to the beginning of the run that ended it.',
      ['tenant'],
    );
    this.#tenantRun = this.#counter('sluice_tenant_job_run_seconds_total', 'Sum of the times of runs.', [
      'tenant',
    ]);
    this.#gauge('sluice_worker_jobs_running', 'Jobs that this worker runs.', () => readings.running());
    this.#gauge('sluice_worker_concurrency', 'Jobs that this worker may run at once.', () =>
      readings.concurrency(),
    );
    this.#queueGauges(readings);
  }

  ran({ outcome, reason, model = 'none', tenant, waitSeconds, runSeconds }: EndedRun): void {
    this.#runs.inc({ model, outcome, reason: reason === '' ? 'none' : reason });
    const hasEnded = outcome === 'completed' || outcome === 'failed';
    const waited = hasEnded ? waitSeconds : undefined;
    if (waited !== undefined) this.#wait.observe({ model }, waited);
    if (runSeconds !== undefined) this.#run.observe({ model }, runSeconds);
    if (tenant === undefined) return;
    const labels = { tenant: this.#labelOf(tenant) };
    this.#tenantRuns.inc({ ...labels, outcome });
    if (waited !== undefined) this.#tenantWait.inc(labels, waited);
    if (runSeconds !== undefined) this.#tenantRun.inc(labels, runSeconds);
  }

  #labelOf(tenant: string): string {
    if (this.#tenants.has(tenant)) return tenant;
    if (this.#tenants.size >= TENANTS_MAX) return 'other';
    this.#tenants.add(tenant);
    return tenant;
  }

  #queueGauges({ queue }: JobReadings): void {
    const unfinished = (name: string, help: string, amount: (reading: QueueReading) => number) =>
      this.#readGauge(name, `${help} The same at every worker.`, [], (gauge) => {
        const reading = queue();
        if (reading) gauge.set(amount(reading));
      });
    unfinished('sluice_jobs_unfinished', 'Jobs that wait or run.', ({ jobs }) => jobs);
    unfinished('sluice_jobs_unfinished_bytes', 'Their requests together.', ({ bytes }) => bytes);
    unfinished('sluice_jobs_drained', '1 while an operator has stopped the queue.', ({ drainedAtMs }) =>
      Number(drainedAtMs !== undefined),
    );
    type Line = QueueReading['lines'] extends Iterable<infer One> ? One : never;
    const ofLines = (name: string, help: string, amount: (line: Line) => number) =>
      this.#readGauge(name, `${help} The same at every worker.`, ['line'], (gauge) => {
        for (const line of queue()?.lines ?? []) gauge.set({ line: line.line }, amount(line));
      });
    ofLines('sluice_jobs_waiting', 'Jobs that wait for their turn.', ({ waiting }) => waiting);
    ofLines('sluice_jobs_oldest_seconds', 'Since the oldest of those that wait was accepted.', (line) =>
      line.waiting > 0 ? line.oldestMs / 1_000 : 0,
    );
    ofLines('sluice_jobs_handed', "Jobs in the workers' hands.", ({ handed }) => handed);
    ofLines(
      'sluice_jobs_parked_tenants',
      'Tenants of whom nothing is begun for the moment, because of their limits.',
      ({ parkedTenants }) => parkedTenants,
    );
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, labelNames: ['model'], buckets, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, read: () => number): void {
    this.#readGauge(name, help, [], (gauge) => gauge.set(read()));
  }

  #readGauge(name: string, help: string, labelNames: string[], read: (gauge: Gauge) => void): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        // Without labels it would say 0 now.
        if (labelNames.length === 0) this.remove();
        read(this);
      },
    });
  }
}
