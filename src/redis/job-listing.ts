/** Pages of job records, for operators. Owners get theirs from job-table.ts. */
import type { JobRecord, JobStatus } from '../core/job.ts';
import type { Answer, RedisClient, RedisConnection } from './connection.ts';
import { readJobRecord } from './job-records.ts';

export interface JobFilter {
  readonly tenant?: string | undefined;
  readonly status?: JobStatus | undefined;
  /** Public name. */
  readonly model?: string | undefined;
}

export interface JobPage {
  readonly records: readonly JobRecord[];
  /** Null: there are no more. A page may be short, or empty, and have a next one: little of what was looked at fits. */
  readonly nextCursor: string | null;
}

export interface JobListing {
  /**
   * Of one tenant the newest first; of all those first that are known for longest, which are the newest where their
   * lifetimes are equal. A job that ends meanwhile may be missed or come twice in a list of all.
   * @returns undefined when there is no such cursor
   */
  page(filter: JobFilter, limit: number, cursor?: string): Promise<Answer<JobPage | undefined>>;
}

/** For one page. */
const LOOKED_AT_MAX = 2_000;
const LOOKED_AT_ONCE = 200;
const cursorPattern = /^(\d{1,16})-([A-Za-z0-9_]{1,64})$/;

/** Where a job stands in the index: the greater score first, then the greater name. */
interface Place {
  readonly score: number;
  readonly id: string;
}

export function jobListing({ ask, keys }: Pick<RedisConnection, 'ask' | 'keys'>): JobListing {
  return {
    page: (filter, limit, cursor) =>
      ask(async (client) => {
        const after = cursor === undefined ? undefined : placeOf(cursor);
        if (cursor !== undefined && !after) return undefined;
        const index = filter.tenant === undefined ? keys.jobsDue() : keys.jobsOf(filter.tenant);
        const records: JobRecord[] = [];
        let last = after;
        for (let looked = 0; looked < LOOKED_AT_MAX; looked += LOOKED_AT_ONCE) {
          const places = await placesBehind(client, index, last);
          const found = await Promise.all(
            places.map(async ({ id }) => readJobRecord(id, await client.hgetall(keys.job(id)))),
          );
          for (const [at, record] of found.entries()) {
            if (records.length === limit) return { records, nextCursor: cursorOf(last) };
            last = places[at];
            if (record && fits(record, filter)) records.push(record);
          }
          if (places.length < LOOKED_AT_ONCE) return { records, nextCursor: null };
        }
        return { records, nextCursor: cursorOf(last) };
      }, 'jobs'),
  };
}

/** Some that were accepted in the same millisecond may stand on both sides of the last place. */
async function placesBehind(client: RedisClient, index: string, last: Place | undefined): Promise<Place[]> {
  const behind: Place[] = [];
  const from = last ? String(last.score) : '+inf';
  for (let offset = 0; behind.length < LOOKED_AT_ONCE; offset += LOOKED_AT_ONCE) {
    const range = ['BYSCORE', 'REV', 'LIMIT', offset, LOOKED_AT_ONCE, 'WITHSCORES'] as const;
    const flat = (await client.zrange(index, from, '-inf', ...range)).flat().map(String);
    for (let at = 0; at + 1 < flat.length; at += 2) {
      const place = { id: flat[at] ?? '', score: Number(flat[at + 1]) };
      if (behind.length < LOOKED_AT_ONCE && isBehind(place, last)) behind.push(place);
    }
    if (flat.length < 2 * LOOKED_AT_ONCE) break;
  }
  return behind;
}

function isBehind(place: Place, last: Place | undefined): boolean {
  return !last || place.score < last.score || (place.score === last.score && place.id < last.id);
}

function fits(record: JobRecord, { tenant, status, model }: JobFilter): boolean {
  if (tenant !== undefined && record.tenant !== tenant) return false;
  if (status !== undefined && record.status !== status) return false;
  return model === undefined || record.model === model;
}

function cursorOf(last: Place | undefined): string | null {
  return last ? `${last.score}-${last.id}` : null;
}

function placeOf(cursor: string): Place | undefined {
  const [, score, id] = cursorPattern.exec(cursor) ?? [];
  return score === undefined || id === undefined ? undefined : { score: Number(score), id };
}
