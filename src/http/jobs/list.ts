/** `GET /v1/jobs`: those of the tenant, the newest first, a page at a time. */
import { type Refusal, refusal } from '../../core/errors.ts';
import { type JobStatus, jobStatuses } from '../../core/job.ts';
import { jobObject } from './job-object.ts';
import { type JobRouteParts, jobStep, storeAway, tenantOf } from './parts.ts';

interface Wanted {
  readonly after: string | undefined;
  readonly status: JobStatus | undefined;
  readonly countMax: number;
}

export const JOBS_LISTED_USUAL = 20;
export const JOBS_LISTED_MAX = 100;

export function listJobs({ results, responder }: JobRouteParts) {
  return jobStep(responder, async (request, reply) => {
    const wanted = readQuery(request.query as Readonly<Record<string, unknown>>);
    if (!('countMax' in wanted)) return wanted;
    const page = await results.list(tenantOf(request), wanted);
    if (!page.ok) return storeAway;
    if (page.value === 'unknown') return invalid('after', 'There is no such job; begin anew without it.');
    const { jobs, lastSeen, hasMore } = page.value;
    const data = jobs.map((record) => jobObject(record, undefined));
    const body = {
      object: 'list',
      data,
      first_id: data[0]?.id ?? null,
      last_id: lastSeen ?? null,
      has_more: hasMore,
    };
    if (!reply.raw.destroyed) responder.json(request, reply, 200, JSON.stringify(body));
    return undefined;
  });
}

function readQuery({ after, status, limit = String(JOBS_LISTED_USUAL) }: Readonly<Record<string, unknown>>) {
  const known = jobStatuses.find((one) => one === status);
  if (status !== undefined && !known) return invalid('status', `It is one of ${jobStatuses.join(', ')}.`);
  const isLimit =
    typeof limit === 'string' && /^[1-9]\d{0,2}$/.test(limit) && Number(limit) <= JOBS_LISTED_MAX;
  if (!isLimit) return invalid('limit', `It is a whole number from 1 to ${JOBS_LISTED_MAX}.`);
  if (after !== undefined && typeof after !== 'string') return invalid('after', 'It is the id of a job.');
  const wanted: Wanted = { after, status: known, countMax: Number(limit) };
  return wanted;
}

function invalid(param: string, message: string): Refusal {
  return refusal('invalid_parameter', message, { param });
}
