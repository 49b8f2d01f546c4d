/** 202: the request has become a job, and here is where to ask for it. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { JobStandings } from '../../jobs/standings.ts';
import type { JobTable } from '../../redis/job-table.ts';
import { refusalOfError } from '../faults.ts';
import type { Responder } from '../respond.ts';
import { JOBS_PATH, jobObject, pollAfterMs } from './job-object.ts';

export interface AnswerParts {
  readonly responder: Responder;
  readonly jobs: {
    readonly table: Pick<JobTable, 'find'>;
    readonly standings: JobStandings;
  };
}

const POLL_MS_USUAL = 5_000;

/** For a job that has been accepted: whatever Redis says now, it is one. */
export function answerAccepted(
  parts: AnswerParts,
  request: FastifyRequest,
  reply: FastifyReply,
  id: string,
): void {
  const { responder } = parts;
  described(parts, id).then(
    ({ job, pollMs }) => {
      if (reply.raw.destroyed) return;
      responder.json(request, reply, 202, JSON.stringify(job), [
        ...['location', `${JOBS_PATH}/${id}`, 'retry-after', String(Math.ceil(pollMs / 1_000))],
        ...['openai-poll-after-ms', String(pollMs)],
      ]);
    },
    (error) => responder.refuse(request, reply, refusalOfError(error)),
  );
}

async function described({ jobs }: AnswerParts, id: string) {
  const found = await jobs.table.find(id);
  const record = found.ok ? found.value : undefined;
  if (!record) return { job: { id, object: 'job', status: 'queued' }, pollMs: POLL_MS_USUAL };
  const standing = await jobs.standings.of(record);
  return { job: jobObject(record, standing), pollMs: pollAfterMs(record, standing) ?? POLL_MS_USUAL };
}
