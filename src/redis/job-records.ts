/** Reads what the scripts of jobs have written. */
import { type JobEvent, type JobRecord, type JobStatus, jobStatuses } from '../core/job.ts';
import type { LineSurvey, WaitingTenant } from '../core/line-survey.ts';

/** @param fields of the hash; undefined for one that is empty */
export function readJobRecord(id: string, fields: Readonly<Record<string, string>>): JobRecord | undefined {
  const status = statusOf(fields.status);
  if (status === undefined) return undefined;
  const count = (name: string) => Number(fields[name] ?? 0);
  const perhaps = (name: string) => (fields[name] === undefined ? null : Number(fields[name]));
  const { error_code: code, error_message: message = '' } = fields;
  return {
    id,
    tenant: fields.tenant ?? '',
    key_id: fields.key_id ?? '',
    model: fields.model ?? '',
    line: fields.line ?? '',
    via: fields.via === 'held' ? 'held' : 'async',
    status,
    priority: count('priority'),
    cost: count('cost'),
    bytes: count('bytes'),
    created_at_ms: count('created_ms'),
    expires_at_ms: count('expires_ms'),
    started_at_ms: perhaps('started_ms'),
    finished_at_ms: perhaps('finished_ms'),
    attempt: count('attempt'),
    result_attempt: perhaps('result'),
    usage: fields.usage ?? null,
    error: code === undefined ? null : { code, message },
    cancelled_by: fields.cancelled_by ?? null,
    retry_of: fields.retry_of ?? null,
  };
}

/** Undefined for what is no event of this release. */
export function readJobEvent(message: string): JobEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    return undefined;
  }
  const { id, tenant, line, status, attempt } = Object(value);
  const known = statusOf(status);
  if (known === undefined || typeof id !== 'string') return undefined;
  return { id, tenant: String(tenant), line: String(line), status: known, attempt: Number(attempt) };
}

function statusOf(text: unknown): JobStatus | undefined {
  return jobStatuses.find((status) => status === text);
}

const OF_LINE = 8;
const OF_TENANT = 6;

/** @param reply of scripts/jobs/survey.lua */
export function readSurvey(reply: readonly (string | number)[]): LineSurvey {
  const number = (at: number) => Number(reply[at] ?? 0);
  const tenants = new Map<string, WaitingTenant>();
  for (let at = OF_LINE; at + OF_TENANT <= reply.length; at += OF_TENANT) {
    tenants.set(String(reply[at]), {
      startsAt: number(at + 1),
      parkedUntilMs: number(at + 2),
      jobs: number(at + 3),
      cost: number(at + 4),
      span: number(at + 5),
    });
  }
  return {
    nowMs: number(0),
    waiting: number(1),
    oldestAtMs: number(2) === 0 ? undefined : number(2),
    handed: number(3),
    handedCost: number(4),
    virtualTime: number(5),
    drainedCost: number(6),
    drainedForMs: number(7),
    tenants,
  };
}
