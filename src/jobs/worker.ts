/** A worker of jobs, put together: it begins, runs as many as it may, and ends without losing any. */
import type { Estimator } from '../admission/estimate/estimator.ts';
import type { JobTickets } from '../admission/jobs/job-tickets.ts';
import type { Principals } from '../admission/jobs/principals.ts';
import type { Config, TimeoutsConfig } from '../config/schema.ts';
import type { Tracer } from '../core/call-trace.ts';
import { jobTable } from '../redis/job-table.ts';
import { payloadTable } from '../redis/payload-table.ts';
import type { QueueConnection } from '../redis/queue-connection.ts';
import type { Subscription } from '../redis/subscription.ts';
import type { Logger } from '../telemetry/log.ts';
import { createGotWire } from '../upstream/got-wire.ts';
import type { Models } from '../upstream/models.ts';
import type { Router } from '../upstream/router.ts';
import { destinations } from './destination.ts';
import { Feed } from './feed.ts';
import { LineRooms } from './line-rooms.ts';
import { payloadBounds } from './payload-bounds.ts';
import { jobQueue } from './queue.ts';
import { type QueueWorker, startQueueWorker } from './queue-worker.ts';
import { JobRunner } from './run.ts';
import type { RunReport } from './run-parts.ts';
import { RunningJobs } from './running.ts';
import { listenToJobs } from './worker-ears.ts';

interface JobWorkerParts {
  readonly config: Pick<Config, 'jobs' | 'worker' | 'routes' | 'listen'>;
  readonly connection: QueueConnection;
  readonly models: Models;
  readonly router: Router;
  /** As they are now. */
  readonly timeouts: () => TimeoutsConfig;
  readonly tickets: JobTickets;
  readonly principals: Principals;
  readonly estimator: Estimator;
  readonly log: Logger;
  readonly tracer?: Tracer | undefined;
  readonly onRun: (report: RunReport) => void;
  /** It gets no jobs although some wait: only a new process may help. */
  readonly onSilent: () => void;
}

/** In what a process hands over beyond what it can run: so that the next job is there when one ends. */
const AHEAD = 0.25;

export class JobWorker {
  readonly #parts: JobWorkerParts;
  readonly #running = new RunningJobs();
  readonly #wire = createGotWire();
  readonly #runner: JobRunner;
  readonly #feed: Feed;
  readonly #jobs: ReturnType<typeof jobTable>;
  readonly #queue: ReturnType<typeof jobQueue>;
  #ears: Subscription | undefined;
  #worker: QueueWorker | undefined;

  constructor(parts: JobWorkerParts) {
    const { config, connection, models, timeouts, log } = parts;
    const { concurrency } = config.worker;
    const ahead = Math.ceil(concurrency * AHEAD);
    const rooms = new LineRooms({ models, config, now: () => performance.now() });
    this.#parts = parts;
    this.#jobs = jobTable(connection.commands);
    this.#queue = jobQueue(connection.commands);
    this.#feed = new Feed({
      jobs: this.#jobs,
      queue: this.#queue,
      rooms,
      free: () => concurrency + ahead - this.#running.size,
      freeMin: Math.ceil(ahead / 2),
      log,
    });
    this.#runner = new JobRunner({
      requestBytesMax: config.worker.request_bytes,
      ...parts,
      config: config.jobs,
      jobs: this.#jobs,
      payloads: payloadTable(connection.payloads, payloadBounds(config)),
      wire: this.#wire.wire,
      destinationOf: destinations({ models, config, timeouts }),
      rooms,
      running: this.#running,
      wake: (line) => this.#feed.wake(line),
      wakeIn: (ms, line) => this.#feed.wakeIn(ms, line),
    });
  }

  /** Jobs that run now. */
  get running(): number {
    return this.#running.size;
  }

  start(): void {
    const { config, connection, log, onSilent } = this.#parts;
    this.#ears = listenToJobs({
      connection: connection.commands,
      jobs: this.#jobs,
      running: this.#running,
      feed: this.#feed,
    });
    const { concurrency } = config.worker;
    this.#worker = startQueueWorker(
      {
        connection,
        queue: this.#queue,
        log,
        onSilent,
        process: async (delivery) => {
          const outcome = await this.#runner.process(delivery);
          this.#feed.wake();
          return outcome;
        },
        // Its record knows how often it has begun; handed over again, as what is overdue, it ends as failed.
        onGivenUp: (job) => log.warn({ job }, 'BullMQ has given up a job'),
      },
      concurrency,
    );
    this.#feed.start();
  }

  /**
   * Takes no more jobs; those that run have `drainMs` to end, and wait again after that without having lost a try.
   * Takes some seconds more.
   */
  async stop(drainMs: number): Promise<void> {
    await this.#feed.stop();
    const isIdle = await this.#worker?.close({ drainMs, unwindMs: UNWIND_MS });
    if (isIdle === false) this.#parts.log.warn('runs of jobs did not end in time; others take them over');
    await this.#runner.settled();
    this.#ears?.close();
    this.#wire.close();
  }
}

const UNWIND_MS = 2_000;
