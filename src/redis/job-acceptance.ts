/** What the acceptance of a job takes. */
import {
  JOB_COST_MAX,
  JOB_COST_MIN,
  JOB_PRIORITY_MAX,
  JOB_WEIGHT_MAX,
  JOB_WEIGHT_MIN,
  type JobWay,
} from '../core/job.ts';
import type { Answer, RedisConnection } from './connection.ts';

export interface NewJob {
  /** Letters, digits and `_`. */
  readonly id: string;
  readonly tenant: string;
  readonly keyId: string;
  readonly model: string;
  readonly line: string;
  readonly via: JobWay;
  /** Of one that is held: without a sign of its caller for so long, it is cancelled. */
  readonly heldMs?: number;
  /** 0 … `JOB_PRIORITY_MAX`. */
  readonly priority: number;
  /** Estimated tokens; what is below `JOB_COST_MIN` counts as that. */
  readonly cost: number;
  /** Of its tenant, `JOB_WEIGHT_MIN` … `JOB_WEIGHT_MAX`: its share against those of others. */
  readonly weight: number;
  readonly bytes: number;
  /** Of the Idempotency-Key and of the body, without spaces. */
  readonly once:
    | { readonly digest: string; readonly bodyDigest: string; readonly keptMs: number }
    | undefined;
  /** The job of which this is another try. */
  readonly retryOf?: string;
  /** Until it is confirmed, workers leave it alone for two seconds after they have come for it. */
  readonly isTentative?: boolean;
  readonly expiresInMs: number;
  /** How long its record stays after its end. */
  readonly keptMs: number;
}

/** Unfinished jobs, and the sum of their bytes. */
export interface JobBounds {
  readonly tenantJobsMax: number;
  readonly tenantBytesMax: number;
  readonly jobsMax: number;
  readonly bytesMax: number;
}

/** As scripts/jobs/start.lua knows it. */
const TENTATIVE = 1;

/** In the order of scripts/jobs/accept.lua. */
export function acceptArguments(job: NewJob, bounds: JobBounds, lastMomentMs: number): (string | number)[] {
  const { id, tenant, line, once, bytes, expiresInMs, keptMs } = job;
  const priority = whole(job.priority, 0, JOB_PRIORITY_MAX);
  const cost = whole(job.cost, JOB_COST_MIN, JOB_COST_MAX);
  const weight = within(job.weight, JOB_WEIGHT_MIN, JOB_WEIGHT_MAX);
  return [
    ...[id, tenant, line, lastMomentMs, once?.digest ?? '', once?.bodyDigest ?? '', once?.keptMs ?? 0],
    ...[bounds.tenantJobsMax, bounds.tenantBytesMax, bounds.jobsMax, bounds.bytesMax],
    ...[priority, cost, weight, bytes, expiresInMs, keptMs, job.heldMs ?? ''],
    ...['key_id', job.keyId, 'model', job.model, 'via', job.via],
    ...(job.retryOf === undefined ? [] : ['retry_of', job.retryOf]),
    ...(job.isTentative ? ['tentative_ms', TENTATIVE] : []),
  ];
}

/** An estimate may be anything; one that is no number would break the script in the middle of its writing. */
export function whole(amount: number, min: number, max: number): number {
  return Math.round(within(amount, min, max));
}

function within(amount: number, min: number, max: number): number {
  return Number.isFinite(amount) ? Math.min(Math.max(amount, min), max) : min;
}

/**
 * Whether there is room for one more, so that a large request is not written only to be refused. Acceptance decides.
 * Undefined: there is.
 */
export function roomForJob(
  { ask, keys }: Pick<RedisConnection, 'ask' | 'keys'>,
  { tenant, bytes }: Pick<NewJob, 'tenant' | 'bytes'>,
  bounds: JobBounds,
): Promise<Answer<'full_tenant' | 'full' | undefined>> {
  return ask(async (client) => {
    const [ofTenant, ofAll] = await Promise.all([
      client.hget(keys.jobTenants(), tenant),
      client.hmget(keys.jobMeta(), 'jobs', 'bytes'),
    ]);
    const [jobsOfTenant = 0, bytesOfTenant = 0] = (ofTenant ?? '0 0').split(' ').map(Number);
    const [jobs = 0, allBytes = 0] = ofAll.map(Number);
    if (jobsOfTenant >= bounds.tenantJobsMax || bytesOfTenant + bytes > bounds.tenantBytesMax) {
      return 'full_tenant';
    }
    return jobs >= bounds.jobsMax || allBytes + bytes > bounds.bytesMax ? 'full' : undefined;
  }, 'jobs');
}
