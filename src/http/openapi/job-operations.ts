/** The routes of jobs, and what all routes behind a key have in common. */
import type { ErrorName } from '../../core/errors.ts';
import { jobStatuses } from '../../core/job.ts';
import { HOLD_SECONDS_MAX } from '../../core/principal.ts';
import { JOBS_LISTED_MAX, JOBS_LISTED_USUAL } from '../jobs/list.ts';
import { json, type Operation, type Parameter } from './document.ts';
import { answerExamples } from './public-examples.ts';
import { oneOf } from './schema.ts';

/** By method and path, as they are declared. */
export type Operations = Readonly<Record<string, Operation>>;

export const keyed: readonly ErrorName[] = [
  ...(['invalid_api_key', 'permission_denied', 'too_many_failed_keys', 'store_unavailable'] as const),
];

export const authenticated = ['x-process-time'];

export const prefer: Parameter = {
  name: 'Prefer',
  in: 'header',
  description: `RFC 7240. \`respond-async\`: run it as a job and answer 202; \`wait=N\`: hold the connection for up to N seconds, at most ${HOLD_SECONDS_MAX}, before that.`,
  schema: { type: 'string' },
  example: 'respond-async',
};

const jobId: Parameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'Of the job. That of another tenant is answered like an unknown one.',
  schema: { type: 'string' },
  example: 'job_abcdefghijklmnopqrstuvwxyz',
};

const oneJob: readonly ErrorName[] = [...keyed, 'job_not_found'];

export const jobOperations: Operations = {
  'GET /v1/jobs': {
    id: 'listJobs',
    tag: 'Jobs',
    summary: 'List the jobs of the tenant',
    description: 'The newest first.',
    parameters: [
      {
        name: 'limit',
        in: 'query',
        schema: { type: 'integer', minimum: 1, maximum: JOBS_LISTED_MAX, default: JOBS_LISTED_USUAL },
      },
      {
        name: 'after',
        in: 'query',
        description: '`last_id` of the page before.',
        schema: { type: 'string' },
      },
      { name: 'status', in: 'query', description: 'Only these.', schema: oneOf(jobStatuses) },
    ],
    answers: {
      200: {
        description: 'A page of them.',
        headers: authenticated,
        content: json('JobList', answerExamples.jobList),
      },
    },
    errors: [...keyed, 'invalid_parameter'],
    errorHeaders: authenticated,
  },
  'GET /v1/jobs/:id': {
    id: 'getJob',
    tag: 'Jobs',
    summary: 'Look at a job, or wait for its end',
    parameters: [
      jobId,
      {
        ...prefer,
        description: `\`wait=N\`: answer when it has ended, after N seconds at the latest, at most ${HOLD_SECONDS_MAX}.`,
        example: 'wait=30',
      },
    ],
    answers: {
      200: {
        description: 'The job as it is, with its result when it has one.',
        headers: [...authenticated, 'openai-poll-after-ms', 'preference-applied'],
        content: json('Job', answerExamples.completedJob),
      },
    },
    errors: oneJob,
    errorHeaders: authenticated,
  },
  'GET /v1/jobs/:id/events': {
    id: 'streamJobEvents',
    tag: 'Jobs',
    summary: 'Follow a job as it happens',
    parameters: [
      jobId,
      {
        name: 'Last-Event-ID',
        in: 'header',
        description: 'Id of the last event that was heard; the stream goes on behind it.',
        schema: { type: 'string' },
        example: '1.0.3',
      },
    ],
    answers: {
      200: {
        description: 'Server-sent events: `status`, `chunk`, `attempt`, `done`, `error`.',
        headers: [...authenticated, 'x-accel-buffering'],
        content: {
          'text/event-stream': {
            schema: { type: 'string', description: 'The data of `status` and `done` is the job.' },
          },
        },
      },
    },
    errors: oneJob,
    errorHeaders: authenticated,
  },
  'GET /v1/jobs/:id/result': {
    id: 'getJobResult',
    tag: 'Jobs',
    summary: 'Fetch the answer of a job',
    description: 'Byte for byte, with its own status and type, so the status may also be that of a failure.',
    parameters: [jobId],
    answers: {
      200: {
        description: 'What the GPU server has said.',
        headers: authenticated,
        content: { 'application/json': { schema: {} }, '*/*': { schema: {} } },
      },
    },
    errors: [...oneJob, 'job_has_no_answer'],
    errorHeaders: authenticated,
  },
  'POST /v1/jobs/:id/cancel': {
    id: 'cancelJob',
    tag: 'Jobs',
    summary: 'Cancel a job',
    description: 'It reaches the GPU server through any replica. Of a job that is over nothing changes.',
    parameters: [jobId],
    answers: {
      200: {
        description: 'The job as it is then.',
        headers: [...authenticated, 'openai-poll-after-ms'],
        content: json('Job', answerExamples.queuedJob),
      },
    },
    errors: oneJob,
    errorHeaders: authenticated,
  },
  'DELETE /v1/jobs/:id': {
    id: 'deleteJob',
    tag: 'Jobs',
    summary: 'Forget a job and its answer',
    description: 'One that has not ended is cancelled first.',
    parameters: [jobId],
    answers: {
      200: {
        description: 'It is gone.',
        headers: authenticated,
        content: json('JobDeleted', answerExamples.jobDeleted),
      },
    },
    errors: oneJob,
    errorHeaders: authenticated,
  },
};
