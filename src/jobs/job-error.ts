/** Why a job has brought no answer, for the caller who waits for it on his connection. */
import { type ErrorName, errorTable, type Refusal, refusal } from '../core/errors.ts';
import type { JobRecord } from '../core/job.ts';
import { readJobAnswer } from '../core/job-answer.ts';

const byCode = new Map<string, ErrorName>(
  (Object.keys(errorTable) as ErrorName[]).map((name) => [errorTable[name].code, name]),
);

/**
 * @param record of a job that is over and not completed; undefined: it is not known any more
 * @param stored its answer, if it has one: the error as the server has put it
 */
export function refusalOfJob(record: JobRecord | undefined, stored?: Buffer): Refusal {
  if (!record) return jobGone;
  const reason = `${record.id}: ${record.error?.code ?? record.status}`;
  if (record.status === 'cancelled') return refusal('job_cancelled', 'The job was cancelled.', { reason });
  if (record.status === 'expired') {
    return refusal('job_expired', 'The job has not run within its lifetime.', { reason });
  }
  const { code = '', message = '' } = record.error ?? {};
  const name = byCode.get(code) ?? 'job_failed';
  const said = name === 'upstream_rejected' && stored ? saidIn(stored) : undefined;
  return refusal(name, said?.message ?? (message || 'The job has failed.'), { ...said?.detail, reason });
}

/** Status, parameter and the whole message of a refusal that the server itself has given. */
function saidIn(stored: Buffer) {
  const answer = readJobAnswer(stored);
  if (!answer) return undefined;
  const { status } = answer.head;
  const { message, param } = Object(Object(parsed(stored.toString('utf8', answer.bodyAt))).error);
  return {
    message: typeof message === 'string' ? message : undefined,
    detail: {
      ...(status >= 400 && status < 500 && { status }),
      ...(typeof param === 'string' && { param }),
    },
  };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** An answer of which a part has gone out, and of which the rest will not come. */
export const attemptLost: Refusal = refusal(
  'upstream_error',
  'The worker that had the job broke off its answer. The job runs anew.',
  { reason: 'another attempt has begun' },
);

export const answerGone: Refusal = refusal(
  'internal_error',
  'The answer of the job is not whole. Try again.',
  { reason: 'what lies in the store is not what was written' },
);

export const storeAway: Refusal = refusal(
  'store_unavailable',
  'What has become of the job cannot be told at the moment. Try again.',
  { headers: { 'retry-after': '1' } },
);

/** A retry joins the job through another replica. */
export const leaving: Refusal = refusal('draining', 'The replica is shutting down. Try again.', {
  headers: { 'retry-after': '1' },
});

const jobGone = refusal('job_cancelled', 'The job is not known any more.');
