/** `/v1/jobs`: what waits, runs and has ended, of all tenants. Neither prompts nor answers. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { errorTable } from '../core/errors.ts';
import { type JobRecord, jobStatuses } from '../core/job.ts';
import { readJobUsage } from '../core/job-answer.ts';
import { tenantNamePattern } from '../core/principal.ts';
import type { JobOperations, Operated } from '../jobs/operations.ts';
import type { JobStanding } from '../jobs/standings.ts';
import type { QueueReading } from '../redis/job-upkeep.ts';
import { sendRefusal } from './answers.ts';
import type { Journal } from './journal.ts';
import { pageQuery } from './schemas.ts';
import type { ZodTypes } from './validation.ts';

export interface JobDependencies {
  readonly jobs: Pick<JobOperations, 'list' | 'show' | 'cancel' | 'retry' | 'queue' | 'drain' | 'resume'>;
}

const jobPath = z.strictObject({ id: z.string().regex(/^[A-Za-z0-9_]{1,64}$/) });

const jobsQuery = pageQuery.extend({
  tenant: z.string().regex(tenantNamePattern, 'must be the name of a tenant').optional(),
  status: z.enum(jobStatuses).optional(),
  model: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, 'must be visible ASCII characters')
    .optional(),
});

export function jobRoutes(
  app: FastifyInstance,
  { jobs, journal }: JobDependencies & { readonly journal: Journal },
): void {
  const routes = app.withTypeProvider<ZodTypes>();

  routes.get('/v1/jobs', { schema: { querystring: jobsQuery } }, async (request, reply) => {
    const { limit, cursor, ...filter } = request.query;
    const page = await jobs.list(filter, limit, cursor);
    if (!page.ok) return sendRefusal(reply, page.refusal);
    const data = page.value.records.map((record) => reportOf(record, undefined));
    return { object: 'list', data, next_cursor: page.value.nextCursor };
  });

  routes.get('/v1/jobs/queue', async (_request, reply) => {
    const queue = await jobs.queue();
    return queue.ok ? queueReport(queue.value) : sendRefusal(reply, queue.refusal);
  });

  routes.get('/v1/jobs/:id', { schema: { params: jobPath } }, async (request, reply) => {
    const shown = await jobs.show(request.params.id);
    if (!shown.ok) return sendRefusal(reply, shown.refusal);
    return reportOf(shown.value.record, shown.value.standing);
  });

  for (const command of ['cancel', 'retry'] as const) {
    const url = `/v1/jobs/:id/${command}`;
    routes.post(url, { schema: { params: jobPath } }, async (request, reply) => {
      const { id } = request.params;
      const result = await jobs[command](id);
      const made = command === 'retry' && result.ok ? result.value.id : undefined;
      const tenant = result.ok ? result.value.tenant : undefined;
      await journal.write(reply, `job.${command}`, result, { job: id, tenant, made });
      return answer(reply, result, (record) => reportOf(record, undefined));
    });
  }

  for (const command of ['drain', 'resume'] as const) {
    routes.post(`/v1/jobs/${command}`, async (_request, reply) => {
      const result = await jobs[command]();
      await journal.write(reply, `jobs.${command}`, result, {});
      return answer(reply, result, queueReport);
    });
  }
}

function answer<T>(reply: FastifyReply, result: Operated<T>, report: (value: T) => object): unknown {
  return result.ok ? report(result.value) : sendRefusal(reply, result.refusal);
}

/** Wire shapes. */
export type JobReport = ReturnType<typeof reportOf>;
export type QueueReport = ReturnType<typeof queueReport>;

function reportOf(record: JobRecord, standing: JobStanding | undefined) {
  const { created_at_ms, expires_at_ms, started_at_ms, finished_at_ms, usage, cost, attempt, ...rest } =
    record;
  const { etaMs } = standing ?? {};
  return {
    object: 'job',
    ...rest,
    error: shownError(record.error),
    estimated_tokens: cost,
    attempts: attempt,
    created_at: time(created_at_ms),
    /** Unless it has ended by then. */
    expires_at: time(expires_at_ms),
    started_at: time(started_at_ms),
    finished_at: time(finished_at_ms),
    usage: readJobUsage(usage) ?? null,
    position: standing?.position ?? null,
    eta_seconds: etaMs === undefined ? null : Math.max(1, Math.round(etaMs / 1_000)),
  };
}

/** What a GPU server says of a request that it refuses may repeat parts of it. */
function shownError(error: JobRecord['error']): JobRecord['error'] {
  return error?.code === errorTable.upstream_rejected.code ? { ...error, message: SAID_TO_TENANT } : error;
}

const SAID_TO_TENANT = 'The GPU server refused the request. Its words are for the tenant alone.';

function queueReport({ jobs, bytes, drainedAtMs, lines }: QueueReading) {
  return {
    object: 'queue',
    drained_at: time(drainedAtMs ?? null),
    unfinished: jobs,
    unfinished_bytes: bytes,
    lines: lines.map(({ line, waiting, oldestMs, handed, parkedTenants }) => ({
      line,
      waiting,
      oldest_seconds: waiting > 0 ? Math.round(oldestMs / 1_000) : null,
      handed,
      parked_tenants: parkedTenants,
    })),
  };
}

function time(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
