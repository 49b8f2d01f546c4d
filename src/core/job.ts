/**
 * A job is a request that was taken in to run later: once accepted it ends exactly once, in one of four ways.
 *
 *     queued ──▶ in_progress ──▶ completed | failed
 *        ▲            │
 *        └────────────┘ put back (nobody's fault)          queued, in_progress ──▶ cancelled | expired
 *
 * While it is queued it first waits in its line and is then in the workers' hands. Each run is an attempt with a number
 * of its own; only the newest may write.
 */

export const jobStatuses = ['queued', 'in_progress', 'completed', 'failed', 'cancelled', 'expired'] as const;

export type JobStatus = (typeof jobStatuses)[number];

/** The status of such a job never changes any more. */
export function isOver(status: JobStatus): boolean {
  return status !== 'queued' && status !== 'in_progress';
}

/** `held`: the caller waits on the connection; `async`: he was told the id. */
export type JobWay = 'held' | 'async';

/** Whole numbers; the higher goes first among the jobs of a tenant. */
export const JOB_PRIORITY_MAX = 9;

/** In tokens. However short a job is, it takes a turn; and no wrong estimate may lock a tenant out for a day. */
export const JOB_COST_MIN = 100;
export const JOB_COST_MAX = 10_000_000;

/** Of a tenant: its share against those of others. */
export const JOB_WEIGHT_MIN = 0.01;
export const JOB_WEIGHT_MAX = 1_000;

export interface JobRecord {
  readonly id: string;
  readonly tenant: string;
  readonly key_id: string;
  /** Public name. */
  readonly model: string;
  /** Where it waits: jobs of one line are served by the same GPU servers. */
  readonly line: string;
  readonly via: JobWay;
  readonly status: JobStatus;
  readonly priority: number;
  /** Tokens, as estimated. */
  readonly cost: number;
  /** Of the payload. */
  readonly bytes: number;
  /** All times are those of Redis' clock. */
  readonly created_at_ms: number;
  readonly expires_at_ms: number;
  readonly started_at_ms: number | null;
  readonly finished_at_ms: number | null;
  /** Number of the newest run; 0: none yet. */
  readonly attempt: number;
  /** The attempt whose result counts. */
  readonly result_attempt: number | null;
  /** JSON of the upstream's usage. */
  readonly usage: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Whose wish it was. */
  readonly cancelled_by: string | null;
  /** The job that failed, and of which this is another try, by an operator's wish. */
  readonly retry_of: string | null;
}

/** What the channel of jobs says at each change. */
export interface JobEvent {
  readonly id: string;
  readonly tenant: string;
  readonly line: string;
  readonly status: JobStatus;
  readonly attempt: number;
}
