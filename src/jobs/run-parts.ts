/** What a run of a job needs, and what it tells of its end. */
import type { Estimator } from '../admission/estimate/estimator.ts';
import type { JobTickets } from '../admission/jobs/job-tickets.ts';
import type { Principals } from '../admission/jobs/principals.ts';
import type { Config } from '../config/schema.ts';
import type { Call } from '../core/call.ts';
import type { Tracer } from '../core/call-trace.ts';
import type { JobSpec } from '../core/job-spec.ts';
import type { JobTable } from '../redis/job-table.ts';
import type { PayloadTable } from '../redis/payload-table.ts';
import type { Wire } from '../upstream/attempts.ts';
import type { Router } from '../upstream/router.ts';
import type { Destination } from './destination.ts';
import type { LineRooms } from './line-rooms.ts';
import type { RunningJobs } from './running.ts';

export interface RunnerParts {
  readonly config: Config['jobs'];
  /** That it holds in memory at once. */
  readonly requestBytesMax: number;
  readonly jobs: JobTable;
  readonly payloads: PayloadTable;
  readonly tickets: JobTickets;
  readonly principals: Principals;
  readonly estimator: Estimator;
  readonly router: Router;
  readonly wire: Wire;
  readonly destinationOf: (spec: JobSpec) => Destination | undefined;
  readonly rooms: LineRooms;
  readonly running: RunningJobs;
  /** There may be work in a line that there was not before. */
  readonly wake: (line: string) => void;
  readonly wakeIn: (ms: number, line: string) => void;
  /** Undefined: what the gateway, or its caller, said of the trace is passed on, and no more. */
  readonly tracer?: Tracer | undefined;
  readonly onRun: (report: RunReport) => void;
}

/** How a run ended. No prompt, no answer. */
export interface RunReport {
  readonly jobId: string;
  readonly attempt: number;
  /**
   * `stopped`: it was cancelled or has expired. `put_back`: it waits again and has lost no try. `tried_again`: it has
   * lost one. `left`: another attempt, or another end, counts.
   */
  readonly outcome: 'completed' | 'failed' | 'stopped' | 'put_back' | 'tried_again' | 'left';
  /** From a closed set: a name of the table of errors, a `StopCause`, or what was lacking; empty: none is needed. */
  readonly reason: string;
  /** Undefined: it could not be read. */
  readonly spec?: JobSpec | undefined;
  /** Undefined: no server was asked. */
  readonly call?: Call;
}
