/** Jobs and their order, as the scripts under scripts/jobs take them. What the codes mean stands on top of each. */
import { JOB_COST_MAX, JOB_COST_MIN, type JobRecord, type JobStatus } from '../core/job.ts';
import type { LineSurvey } from '../core/line-survey.ts';
import type { Answer, RedisConnection } from './connection.ts';
import { acceptArguments, type JobBounds, type NewJob, whole } from './job-acceptance.ts';
import { readJobRecord, readSurvey } from './job-records.ts';
import { type PackedBody, type ReadBody, SMALL_BYTES, unpackSmall } from './packed-body.ts';

export type { JobBounds, NewJob } from './job-acceptance.ts';

export type Acceptance =
  /** `rank`: jobs of the same tenant before it. `exists`: the same key and body have made this job before. */
  | { readonly verdict: 'accepted' | 'exists'; readonly id: string; readonly rank: number }
  | { readonly verdict: 'mismatch' | 'full_tenant' | 'full' | 'late' };

export type JobVerdict<Verdicts extends string> = {
  readonly verdict: Verdicts;
  readonly attempt: number;
  /** As it is now; undefined where there is no such job. */
  readonly status: JobStatus | undefined;
};

export type JobEnd =
  /** With an answer: it is stored, and the request taken out, in the same step, if this end counts. */
  | { readonly status: 'completed'; readonly answer?: KeptAnswer }
  /** The message is cut at 500 characters. */
  | { readonly status: 'failed'; readonly code: string; readonly message: string };

export type JobStart = JobVerdict<'started' | 'absent' | 'over' | 'waiting' | 'exhausted' | 'tentative'> & {
  /** Of one that has begun, where its request is still there. */
  readonly requestBytes?: number;
  /** Likewise, where it is small enough to come along. */
  readonly request?: ReadBody;
};

export interface KeptAnswer {
  readonly packed: PackedBody;
  readonly lifetimeMs: number;
}

export type JobPlace =
  | { readonly place: 'waiting'; readonly rank: number }
  | { readonly place: 'absent' | 'handed' | 'over' };

export interface JobTable {
  /** Redis' clock in ms, for the last moment of an acceptance. */
  clock(): Promise<Answer<number>>;
  /** Nothing is accepted after `lastMomentMs` of that clock. May be repeated. */
  accept(job: NewJob, bounds: JobBounds, lastMomentMs: number): Promise<Answer<Acceptance>>;
  /** That the caller of one that was accepted as tentative hears of it. Harmless where there is none. */
  confirm(id: string): Promise<Answer<void>>;
  /** The next to run, in order; from now on in the workers' hands. */
  pick(
    line: string,
    countMax: number,
  ): Promise<Answer<readonly { readonly id: string; readonly tenant: string }[]>>;
  /** Picks nothing of the tenant for so long, at most an hour; 0: from now on again. Until when, by Redis' clock. */
  park(line: string, tenant: string, forMs: number): Promise<Answer<number>>;
  /**
   * @param holder names this run; the same gets the same number again. `waiting`: it was put back meanwhile, and
   *   must not run now. `exhausted`: it has failed by this, because it has begun `triesMax` times. `tentative`: ask again.
   */
  start(id: string, holder: string, triesMax: number): Promise<Answer<JobStart>>;
  /** @param attempt 0 for one that was picked and has not begun */
  putBack(
    id: string,
    attempt: number,
  ): Promise<Answer<JobVerdict<'waiting' | 'absent' | 'over' | 'superseded'>>>;
  /**
   * @param used `cost` in tokens, as it really was; undefined: as estimated. `usage`: JSON; one of more than 4,096
   *   characters is left out
   */
  finish(
    id: string,
    attempt: number,
    end: JobEnd,
    used: { readonly cost: number | undefined; readonly usage: string | undefined },
  ): Promise<Answer<JobVerdict<'finished' | 'absent' | 'over' | 'superseded'>>>;
  /** @param tenant undefined for an operator. Of another tenant's job nothing more is said than of one there is not. */
  cancel(
    id: string,
    tenant: string | undefined,
    wish: string,
  ): Promise<Answer<JobVerdict<'cancelled' | 'absent' | 'over'>>>;
  /** As `cancel`, and takes out all that is known of the job, also when it is over. */
  forget(
    id: string,
    tenant: string | undefined,
  ): Promise<Answer<JobVerdict<'cancelled' | 'absent' | 'over'>>>;
  find(id: string): Promise<Answer<JobRecord | undefined>>;
  /** How often it has begun and was not put back. */
  tries(id: string): Promise<Answer<number>>;
  /** Ids of the tenant's jobs, the newest first. */
  list(tenant: string, offset: number, countMax: number): Promise<Answer<readonly string[]>>;
  /** Those behind that one in the same order; `unknown`: the tenant has no such job any more. */
  listBehind(tenant: string, id: string, countMax: number): Promise<Answer<readonly string[] | 'unknown'>>;
  place(id: string): Promise<Answer<JobPlace>>;
  /** Costs as much as there are tenants waiting: for all callers of a replica together, once a second at most. */
  survey(line: string): Promise<Answer<LineSurvey>>;
  /** Lines with unfinished jobs. */
  lines(): Promise<Answer<readonly string[]>>;
  totals(): Promise<Answer<{ readonly jobs: number; readonly bytes: number }>>;
  /** In the workers' hands, and neither picked nor begun for so long. */
  overdue(line: string, ageMs: number, countMax: number): Promise<Answer<readonly string[]>>;
  /** Both 0: nothing is due. */
  sweep(countMax: number): Promise<Answer<{ readonly expired: number; readonly forgotten: number }>>;
}

const PARK_MS_MAX = 3_600_000;
const ERROR_CHARACTERS_MAX = 500;
/** A server may claim anything, and the record lies in Redis for days. */
const USAGE_CHARACTERS_MAX = 4_096;
const LIST_TRIES_MAX = 5;
const starts = ['started', 'absent', 'over', 'waiting', 'exhausted', 'tentative'] as const;
const refusals = ['mismatch', 'full_tenant', 'full', 'late'] as const;

export function jobTable({ ask, keys }: Pick<RedisConnection, 'ask' | 'keys'>): JobTable {
  const root = keys.jobRoot();
  const cancel = (id: string, tenant: string | undefined, wish: string, forget: 0 | 1) =>
    ask(async (client) => {
      const reply = await client.cancelJob(root, id, tenant ?? '', wish, forget);
      return verdictOf(reply, ['cancelled', 'absent', 'over'] as const);
    }, 'jobs');
  return {
    clock: () => ask((client) => client.clockOfJobs(root), 'jobs'),

    accept: (job, bounds, lastMomentMs) =>
      ask(async (client) => {
        const [code, id, rank] = await client.acceptJob(root, ...acceptArguments(job, bounds, lastMomentMs));
        if (code <= 1) return { verdict: code === 0 ? 'accepted' : 'exists', id, rank };
        return { verdict: refusals[code - 2] ?? 'late' };
      }, 'jobs'),

    confirm: (id) =>
      ask(async (client) => {
        await client.hdel(keys.job(id), 'tentative_ms');
      }, 'jobs'),

    pick: (line, countMax) =>
      ask(async (client) => {
        const flat = await client.pickJobs(root, line, countMax);
        return flat.flatMap((id, index) => (index % 2 === 0 ? [{ id, tenant: flat[index + 1] ?? '' }] : []));
      }, 'jobs'),

    park: (line, tenant, forMs) =>
      ask((client) => client.parkTenant(root, line, tenant, whole(forMs, 0, PARK_MS_MAX)), 'jobs'),

    start: (id, holder, triesMax) =>
      ask(async (client) => {
        const reply = await client.startJobBuffer(root, id, holder, triesMax, SMALL_BYTES);
        const [code, attempt, status, requestBytes, about, chunk = null] = reply;
        const verdict = verdictOf([code, attempt, String(status)], starts);
        if (!requestBytes) return verdict;
        const request = about && unpackSmall(String(about), chunk);
        return { ...verdict, requestBytes, ...(request && { request }) };
      }, 'jobs'),

    putBack: (id, attempt) =>
      ask(async (client) => {
        const reply = await client.putBackJob(root, id, attempt);
        return verdictOf(reply, ['waiting', 'absent', 'over', 'superseded'] as const);
      }, 'jobs'),

    finish: (id, attempt, end, { cost, usage }) =>
      ask(async (client) => {
        const realCost = cost === undefined ? '' : whole(cost, JOB_COST_MIN, JOB_COST_MAX);
        const error = end.status === 'failed' ? [end.code, end.message.slice(0, ERROR_CHARACTERS_MAX)] : [];
        const [code = '', message = ''] = error;
        const kept = usage !== undefined && usage.length <= USAGE_CHARACTERS_MAX ? usage : '';
        const answer = end.status === 'completed' ? end.answer : undefined;
        const told = [root, id, attempt, end.status, realCost, kept, code, message] as const;
        const reply = await (answer
          ? client.completeJob(...told, answer.lifetimeMs, answer.packed.chunk, answer.packed.about)
          : client.finishJob(...told));
        return verdictOf(reply, ['finished', 'absent', 'over', 'superseded'] as const);
      }, 'jobs'),

    cancel: (id, tenant, wish) => cancel(id, tenant, wish, 0),
    forget: (id, tenant) => cancel(id, tenant, 'forgotten', 1),

    find: (id) => ask(async (client) => readJobRecord(id, await client.hgetall(keys.job(id))), 'jobs'),

    tries: (id) => ask(async (client) => Number((await client.hget(keys.job(id), 'tries')) ?? 0), 'jobs'),

    list: (tenant, offset, countMax) =>
      ask(async (client) => {
        const last = offset + countMax - 1;
        return (await client.zrange(keys.jobsOf(tenant), offset, String(last), 'REV')).map(String);
      }, 'jobs'),

    listBehind: (tenant, id, countMax) =>
      ask(async (client) => {
        const key = keys.jobsOf(tenant);
        for (let tries = 0; tries < LIST_TRIES_MAX; tries += 1) {
          const rank = await client.zrevrank(key, id);
          if (rank === null) return 'unknown';
          const [first, ...behind] = await client.zrange(key, rank, String(rank + countMax), 'REV');
          // Others may have come or gone in between.
          if (first === id) return behind.map(String);
        }
        return 'unknown';
      }, 'jobs'),

    place: (id) =>
      ask(async (client) => {
        const [code, rank] = await client.placeOfJob(root, id);
        if (code === 0) return { place: 'waiting', rank };
        return { place: code === 1 ? 'absent' : code === 2 ? 'handed' : 'over' };
      }, 'jobs'),

    survey: (line) => ask(async (client) => readSurvey(await client.surveyLine(root, line)), 'jobs'),
    lines: () => ask((client) => client.smembers(keys.jobLines()), 'jobs'),

    totals: () =>
      ask(async (client) => {
        const [jobs, bytes] = await client.hmget(keys.jobMeta(), 'jobs', 'bytes');
        return { jobs: Number(jobs ?? 0), bytes: Number(bytes ?? 0) };
      }, 'jobs'),

    overdue: (line, ageMs, countMax) =>
      ask((client) => client.overdueJobs(root, line, ageMs, countMax), 'jobs'),

    sweep: (countMax) =>
      ask(async (client) => {
        const [expired, forgotten] = await client.sweepJobs(root, countMax);
        return { expired, forgotten };
      }, 'jobs'),
  };
}

function verdictOf<Verdicts extends string>(
  [code, attempt, status]: readonly [number, number, string],
  verdicts: readonly [Verdicts, ...Verdicts[]],
): JobVerdict<Verdicts> {
  const verdict = verdicts[code];
  if (verdict === undefined) throw new Error(`no verdict has the number ${code}`);
  return { verdict, attempt, status: status === '' ? undefined : (status as JobStatus) };
}
