/**
 * What the owner of a job may ask about it and do with it. The owner is the tenant: any of its keys will do. Of another
 * tenant's job nothing more is told than of one that there is not.
 */
import { isOver, type JobRecord, type JobStatus } from '../core/job.ts';
import { ANSWER_HEAD_BYTES_MAX, readJobAnswer } from '../core/job-answer.ts';
import { DamagedBody } from '../redis/chunked-body.ts';
import type { Answer } from '../redis/connection.ts';
import type { JobTable } from '../redis/job-table.ts';
import type { PayloadTable } from '../redis/payload-table.ts';
import { jobIdPattern } from './job-id.ts';

interface ResultsParts {
  readonly table: Pick<JobTable, 'find' | 'cancel' | 'forget' | 'list' | 'listBehind'>;
  readonly payloads: Pick<PayloadTable, 'streamResult' | 'pieces' | 'delete'>;
  /** It has ended before it ran, so its ticket has cost nothing. */
  readonly released: (record: JobRecord) => void;
}

/** An answer as it lies in store. */
export interface StoredJobAnswer {
  readonly status: number;
  readonly contentType: string;
  /** Throws where it is not whole, or Redis is away in the middle of it. */
  readonly body: AsyncIterable<Buffer>;
}

export interface JobPage {
  readonly jobs: readonly JobRecord[];
  /** Where the next page begins; undefined: there was nothing to look at. */
  readonly lastSeen: string | undefined;
  readonly hasMore: boolean;
}

const none = { ok: true, value: undefined } as const;
const STREAM_TYPE = 'text/event-stream; charset=utf-8';
/** With a filter that little fits, so much is looked at for one page. */
const LOOKED_AT_MAX = 500;
const LOOKED_AT_ONCE = 100;

export class JobResults {
  readonly #parts: ResultsParts;
  /** Many may wait for one job, and all of them look when it ends. */
  #asked: { readonly id: string; readonly record: Promise<Answer<JobRecord | undefined>> } | undefined;

  constructor(parts: ResultsParts) {
    this.#parts = parts;
  }

  /** Questions for one job in one turn of the event loop are put to Redis once. */
  async find(tenant: string, id: string): Promise<Answer<JobRecord | undefined>> {
    if (!jobIdPattern.test(id)) return none;
    if (this.#asked?.id !== id) {
      this.#asked = { id, record: this.#parts.table.find(id) };
      queueMicrotask(() => {
        this.#asked = undefined;
      });
    }
    const found = await this.#asked.record;
    return found.ok && found.value?.tenant !== tenant ? none : found;
  }

  /** Of one that is over nothing changes. @returns it as it is then */
  async cancel(tenant: string, id: string): Promise<Answer<JobRecord | undefined>> {
    if (!jobIdPattern.test(id)) return none;
    const { table, payloads, released } = this.#parts;
    const cancelled = await table.cancel(id, tenant, 'caller');
    if (!cancelled.ok) return cancelled;
    const found = await this.find(tenant, id);
    if (cancelled.value.verdict !== 'cancelled' || !found.ok || !found.value) return found;
    // Where a worker has it, that settles what it has cost.
    if (found.value.started_at_ms === null) {
      released(found.value);
      void payloads.delete(id, found.value.attempt);
    }
    return found;
  }

  /** Takes out all that is known of it; one that is not over is cancelled. @returns what it was */
  async forget(tenant: string, id: string): Promise<Answer<JobRecord | undefined>> {
    const found = await this.find(tenant, id);
    if (!found.ok || !found.value) return found;
    const { table, payloads, released } = this.#parts;
    const forgotten = await table.forget(id, tenant);
    if (!forgotten.ok) return forgotten;
    const { verdict, attempt } = forgotten.value;
    if (verdict === 'absent') return none;
    const hasRun = attempt > found.value.attempt || found.value.started_at_ms !== null;
    if (verdict === 'cancelled' && !hasRun) released(found.value);
    // What a worker writes until it has heard of this goes by its lifetime.
    const deleted = await payloads.delete(id, attempt);
    return deleted.ok ? found : deleted;
  }

  /**
   * The newest first.
   * @param after id behind which it begins; one that there is no more gives `unknown`
   */
  async list(
    tenant: string,
    wanted: { after: string | undefined; status: JobStatus | undefined; countMax: number },
  ): Promise<Answer<JobPage | 'unknown'>> {
    const { status, countMax } = wanted;
    const jobs: JobRecord[] = [];
    let lastSeen = wanted.after;
    for (let looked = 0; looked < LOOKED_AT_MAX; looked += LOOKED_AT_ONCE) {
      const count = status ? LOOKED_AT_ONCE : countMax;
      const ids = await this.#idsBehind(tenant, lastSeen, count + 1);
      if (!ids.ok) return ids;
      // The one that was looked at last has gone meanwhile: what is behind it cannot be found.
      if (ids.value === 'unknown') return { ok: true, value: 'unknown' };
      const records = await Promise.all(ids.value.slice(0, count).map((id) => this.#parts.table.find(id)));
      for (const [index, found] of records.entries()) {
        if (!found.ok) return found;
        if (jobs.length === countMax) return { ok: true, value: { jobs, lastSeen, hasMore: true } };
        lastSeen = ids.value[index];
        if (found.value && (!status || found.value.status === status)) jobs.push(found.value);
      }
      if (ids.value.length <= count) return { ok: true, value: { jobs, lastSeen, hasMore: false } };
      if (jobs.length === countMax) break;
    }
    return { ok: true, value: { jobs, lastSeen, hasMore: true } };
  }

  /** `missing`: it has not ended yet, has no answer, or the answer's lifetime is over. */
  async answer({ id, status, result_attempt }: JobRecord): Promise<Answer<StoredJobAnswer | 'missing'>> {
    const missing = { ok: true, value: 'missing' } as const;
    if (!isOver(status) || result_attempt === null) return missing;
    const stored = await this.#parts.payloads.streamResult(id, result_attempt);
    if (!stored.ok) return stored;
    if (stored.value !== 'missing') return openAnswer(stored.value);
    const first = await this.#parts.payloads.pieces.read(id, result_attempt, 0);
    if (!first.ok) return first;
    if (first.value.kind !== 'pieces') return missing;
    const body = this.#streamed(id, result_attempt);
    return { ok: true, value: { status: 200, contentType: STREAM_TYPE, body } };
  }

  async *#streamed(id: string, attempt: number): AsyncGenerator<Buffer> {
    for (let next = 0; ; ) {
      const read = await this.#parts.payloads.pieces.read(id, attempt, next);
      if (!read.ok) throw new Error(read.failure.cause);
      if (read.value.kind !== 'pieces') throw new Error(`the stream is ${read.value.kind}`);
      yield* read.value.pieces;
      if (read.value.isEnd) return;
      if (read.value.pieces.length === 0) throw new Error('the stream has no end');
      next = read.value.next;
    }
  }

  #idsBehind(
    tenant: string,
    after: string | undefined,
    count: number,
  ): Promise<Answer<readonly string[] | 'unknown'>> {
    const { table } = this.#parts;
    return after === undefined ? table.list(tenant, 0, count) : table.listBehind(tenant, after, count);
  }
}

/** Reads as much as it takes to know what stands beside the body. */
async function openAnswer(stored: AsyncIterable<Buffer>): Promise<Answer<StoredJobAnswer | 'missing'>> {
  const pieces = stored[Symbol.asyncIterator]();
  let begun: Buffer = Buffer.alloc(0);
  try {
    while (begun.length < ANSWER_HEAD_BYTES_MAX) {
      const { done, value } = await pieces.next();
      if (done) break;
      begun = Buffer.concat([begun, value]);
    }
  } catch (error) {
    if (error instanceof DamagedBody) return { ok: true, value: 'missing' };
    return { ok: false, failure: { kind: 'unavailable', cause: String(error) } };
  }
  const answer = readJobAnswer(begun);
  if (!answer) return { ok: true, value: 'missing' };
  const { status, content_type: contentType } = answer.head;
  const body = rest(begun.subarray(answer.bodyAt), pieces);
  return { ok: true, value: { status, contentType, body } };
}

async function* rest(begun: Buffer, pieces: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (begun.length > 0) yield begun;
    for (;;) {
      const { done, value } = await pieces.next();
      if (done) return;
      yield value;
    }
  } finally {
    await pieces.return?.();
  }
}
