/** A job as its owner sees it. Times are seconds, as OpenAI's are. */
import { isOver, type JobRecord, type JobStatus } from '../../core/job.ts';
import { readJobUsage } from '../../core/job-answer.ts';
import { usdFromNano } from '../../core/money.ts';
import type { JobStanding } from '../../jobs/standings.ts';

export interface JobObject {
  readonly id: string;
  readonly object: 'job';
  readonly status: JobStatus;
  readonly model: string;
  readonly created_at: number;
  readonly started_at: number | null;
  /** When it ended, however it did. */
  readonly completed_at: number | null;
  /** Unless it has ended by then. */
  readonly expires_at: number;
  /** Among those that wait: 1 is the next; 0: a worker has it, or is about to. Null: it is over, or nobody knows. */
  readonly position: number | null;
  /** Until it is done. Null: it is over, or nobody knows. */
  readonly eta_seconds: number | null;
  /** Of those that have begun, the number of the newest; 0: none yet. */
  readonly attempts: number;
  readonly usage: JobCost | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly events_url: string;
  /** Null: it has none, or not yet. */
  readonly result_url: string | null;
  /** The answer's body, where it is JSON and asked for; last, because it may be large. */
  readonly result: null;
}

interface JobCost {
  readonly input_tokens: number;
  readonly input_tokens_details: { readonly cached_tokens: number };
  readonly output_tokens: number;
  readonly total_tokens: number;
  readonly images: number;
  readonly gpu_seconds: number;
  readonly cost_usd: number;
}

export const JOBS_PATH = '/v1/jobs';

/** @param standing undefined where nobody has asked for it, or nobody knows */
export function jobObject(record: JobRecord, standing: JobStanding | undefined): JobObject {
  const path = `${JOBS_PATH}/${record.id}`;
  const { etaMs } = standing ?? {};
  return {
    id: record.id,
    object: 'job',
    status: record.status,
    model: record.model,
    created_at: seconds(record.created_at_ms),
    started_at: record.started_at_ms === null ? null : seconds(record.started_at_ms),
    completed_at: record.finished_at_ms === null ? null : seconds(record.finished_at_ms),
    expires_at: seconds(record.expires_at_ms),
    position: standing?.position ?? null,
    eta_seconds: etaMs === undefined ? null : Math.max(1, Math.round(etaMs / 1_000)),
    attempts: record.attempt,
    usage: costOf(record.usage),
    error: record.error,
    events_url: `${path}/events`,
    result_url: record.status === 'completed' ? `${path}/result` : null,
    result: null,
  };
}

/** What stands before a body that takes the place of `result`, and what behind it. */
export function aroundResult(job: JobObject): readonly [string, string] {
  const text = JSON.stringify(job);
  return [text.slice(0, -'null}'.length), '}'];
}

const POLL_MS_MIN = 500;
const POLL_MS_MAX = 10_000;
const POLL_MS_USUAL = 5_000;

/** When to ask again; undefined: it is over. Four times until it is done, when that is known. */
export function pollAfterMs({ status }: JobRecord, standing: JobStanding | undefined): number | undefined {
  if (isOver(status)) return undefined;
  const { etaMs } = standing ?? {};
  if (etaMs === undefined) return POLL_MS_USUAL;
  return Math.round(Math.min(Math.max(etaMs / 4, POLL_MS_MIN), POLL_MS_MAX));
}

function costOf(json: string | null): JobCost | null {
  const usage = readJobUsage(json);
  if (!usage) return null;
  return {
    input_tokens: usage.input_tokens,
    input_tokens_details: { cached_tokens: usage.cached_tokens },
    output_tokens: usage.output_tokens,
    total_tokens: usage.input_tokens + usage.output_tokens,
    images: usage.images,
    gpu_seconds: usage.gpu_ms / 1_000,
    cost_usd: usdFromNano(usage.cost_nano),
  };
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}
