/** What is remembered under an Idempotency-Key whose request has become a job: not an answer, but which job. */
import type { KeptAnswer } from '../../redis/answer-table.ts';

const POINTER_TYPE = 'application/vnd.sluice.job';

export function pointerTo(id: string): KeptAnswer {
  return { status: 202, contentType: POINTER_TYPE, body: Buffer.from(id), upstream: '', upstreamModel: '' };
}

/** The job that a remembered answer stands for, if it does for one. */
export function jobOfPointer({ contentType, body }: KeptAnswer): string | undefined {
  return contentType === POINTER_TYPE ? body.toString() : undefined;
}
