/**
 * The metrics of a worker of jobs. What is said of the queue every worker says of the same queue: take the maximum over
 * them, not the sum. Names of models, lines and routes come from the configuration.
 */
import type { FirstNames } from './first-names.ts';
import type { MetricMaker } from './maker.ts';
import type { Spread } from './spread.ts';
import type { Tally } from './tally.ts';

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

/** What it shares with the other metrics of the process. */
interface Base {
  readonly make: MetricMaker;
  readonly tenants: FirstNames;
  readonly models: FirstNames;
}

export class JobMetrics {
  readonly #base: Base;
  readonly #runs: Tally;
  readonly #wait: Spread;
  readonly #run: Spread;
  readonly #tenantRuns: Tally;
  readonly #tenantWait: Tally;
  readonly #tenantRun: Tally;

  constructor(base: Base, readings: JobReadings) {
    const { make } = base;
    this.#base = base;
    this.#runs = make.tally(
      'sluice_job_attempts_total',
      'Runs of jobs that have ended, by how and why; those that completed or failed have ended their job.',
      ['model', 'outcome', 'reason'],
    );
    this.#wait = make.spread(
      'sluice_job_wait_seconds',
      'From the acceptance of a job to the beginning of the run that ended it.',
      ['model'],
      WAIT_SECONDS,
    );
    this.#run = make.spread(
      'sluice_job_run_seconds',
      'Of one run that asked a GPU server.',
      ['model'],
      RUN_SECONDS,
    );
    this.#tenantRuns = make.tally('sluice_tenant_jobs_total', 'Runs of jobs that have ended.', [
      ...['tenant', 'outcome'],
    ]);
    this.#tenantWait = make.tally(
      'sluice_tenant_job_wait_seconds_total',
      'Sum of the times from the acceptance of a job to the beginning of the run that ended it.',
      ['tenant'],
    );
    this.#tenantRun = make.tally('sluice_tenant_job_run_seconds_total', 'Sum of the times of runs.', [
      'tenant',
    ]);
    make.gauge('sluice_worker_jobs_running', 'Jobs that this worker runs.', readings.running);
    make.gauge('sluice_worker_concurrency', 'Jobs that this worker may run at once.', readings.concurrency);
    queueGauges(make, readings);
  }

  ran({ outcome, reason, model: name, tenant, waitSeconds, runSeconds }: EndedRun): void {
    const model = name === undefined ? 'none' : this.#base.models.labelOf(name);
    this.#runs.count(`${model} ${outcome} ${reason === '' ? 'none' : reason}`);
    const hasEnded = outcome === 'completed' || outcome === 'failed';
    const waited = hasEnded ? waitSeconds : undefined;
    if (waited !== undefined) this.#wait.add(model, waited);
    if (runSeconds !== undefined) this.#run.add(model, runSeconds);
    if (tenant === undefined) return;
    const label = this.#base.tenants.labelOf(tenant);
    this.#tenantRuns.count(`${label} ${outcome}`);
    if (waited !== undefined) this.#tenantWait.count(label, waited);
    if (runSeconds !== undefined) this.#tenantRun.count(label, runSeconds);
  }
}

function queueGauges(make: MetricMaker, { queue }: JobReadings): void {
  const unfinished = (name: string, help: string, amount: (reading: QueueReading) => number) =>
    make.gauge(name, `${help} The same at every worker.`, () => {
      const reading = queue();
      return reading && amount(reading);
    });
  unfinished('sluice_jobs_unfinished', 'Jobs that wait or run.', ({ jobs }) => jobs);
  unfinished('sluice_jobs_unfinished_bytes', 'Their requests together.', ({ bytes }) => bytes);
  unfinished('sluice_jobs_drained', '1 while an operator has stopped the queue.', ({ drainedAtMs }) =>
    Number(drainedAtMs !== undefined),
  );
  type Line = QueueReading['lines'] extends Iterable<infer One> ? One : never;
  const ofLines = (name: string, help: string, amount: (line: Line) => number) =>
    make.gauges(name, `${help} The same at every worker.`, ['line'], (put) => {
      for (const line of queue()?.lines ?? []) put({ line: line.line }, amount(line));
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
