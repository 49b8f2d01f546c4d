/**
 * The routes of jobs. They cost nothing and count towards no limit: each is a question or two to Redis, and whoever
 * waits for an answer asks none.
 */
import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/schema.ts';
import type { PayloadTable } from '../../redis/payload-table.ts';
import { Watch } from '../../upstream/watchdog.ts';
import type { Exchanges, Step } from '../exchange.ts';
import type { Responder } from '../respond.ts';
import { jobEvents } from './events.ts';
import { JOBS_PATH } from './job-object.ts';
import { listJobs } from './list.ts';
import { type JobParts, jobIdOf, jobStep, noSuchJob, storeAway, tenantOf } from './parts.ts';
import { jobResult } from './result.ts';
import { answerWith, showJob } from './show.ts';

export interface JobRoutesParts {
  readonly config: Pick<Config, 'jobs' | 'timeouts'>;
  readonly jobs: JobParts & { readonly payloads: Pick<PayloadTable, 'pieces'> };
  readonly responder: Responder;
  readonly exchanges: Exchanges;
  readonly authenticate: Step;
}

export function registerJobs(app: FastifyInstance, registered: JobRoutesParts): void {
  const { config, jobs, responder, exchanges, authenticate } = registered;
  const { lifetime_seconds, run_seconds_max } = config.jobs;
  const parts = {
    ...jobs,
    responder,
    exchanges,
    clock: new Watch(),
    stallMs: config.timeouts.idle_ms,
    streamMsMax: (lifetime_seconds + run_seconds_max) * 1_000,
    pieces: jobs.payloads.pieces,
  };
  const { results } = parts;
  const job = `${JOBS_PATH}/:id`;
  const declare = (method: 'GET' | 'POST' | 'DELETE', url: string, step: Step, exposeHeadRoute = false) => {
    const onRequest = [authenticate, step];
    app.route({ method, url, exposeHeadRoute, onRequest, handler: () => undefined });
  };

  declare('GET', JOBS_PATH, listJobs(parts), true);
  declare('GET', job, showJob(parts));
  declare('GET', `${job}/events`, jobEvents(parts));
  declare('GET', `${job}/result`, jobResult(parts));

  /** Again and again, and when it is over: it answers with the job as it is then. */
  const cancel = jobStep(responder, async (request, reply) => {
    const cancelled = await results.cancel(tenantOf(request), jobIdOf(request));
    if (!cancelled.ok) return storeAway;
    return cancelled.value ? answerWith(parts, request, reply, cancelled.value, []) : noSuchJob;
  });
  declare('POST', `${job}/cancel`, cancel);

  const forget = jobStep(responder, async (request, reply) => {
    const forgotten = await results.forget(tenantOf(request), jobIdOf(request));
    if (!forgotten.ok) return storeAway;
    if (!forgotten.value) return noSuchJob;
    const body = { id: forgotten.value.id, object: 'job.deleted', deleted: true };
    if (!reply.raw.destroyed) responder.json(request, reply, 200, JSON.stringify(body));
    return undefined;
  });
  declare('DELETE', job, forget);
}
