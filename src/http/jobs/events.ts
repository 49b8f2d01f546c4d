/**
 * `GET /v1/jobs/{id}/events`: what happens to a job, as server-sent events:
 *
 *     status    the job, at first and at each change
 *     chunk     what the GPU server has said, as the worker receives it; its id serves for `Last-Event-ID`
 *     attempt   another attempt has begun: the chunks until here do not count
 *     done      the job at its end; nothing comes behind it
 *     error     the stream cannot go on here; who comes again with `Last-Event-ID` misses nothing
 *
 * A comment keeps it alive while nothing happens. Of a job whose answer is not streamed come status and done.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorBody, type Refusal, refusal } from '../../core/errors.ts';
import { isOver, type JobRecord } from '../../core/job.ts';
import type { Answer } from '../../redis/connection.ts';
import type { PayloadTable } from '../../redis/payload-table.ts';
import { Watchdog } from '../../upstream/watchdog.ts';
import { type Chunk, ChunkReader, readPlace } from './chunk-place.ts';
import { eventText } from './event-text.ts';
import { jobObject } from './job-object.ts';
import { News } from './news.ts';
import { PacedOutlet } from './paced-outlet.ts';
import { type JobRouteParts, jobIdOf, jobStep, noSuchJob, storeAway, tenantOf } from './parts.ts';

const COMMENT_EVERY_MS = 15_000;
const COMMENT = ': keep-alive\n\n';
/** While Redis is away; then the caller is sent to another replica, or to wait himself. */
const AWAY_MS_MAX = 10_000;
const AWAY_RETRY_MS = 500;
const PIECES_OF_THE_SLOW = 2;
const leaving = refusal('draining', 'The gateway is shutting down; come again with Last-Event-ID.');
const damaged = refusal('internal_error', 'What is stored of the answer is damaged.');

export interface EventParts extends JobRouteParts {
  readonly pieces: Pick<PayloadTable['pieces'], 'read'>;
}

export function jobEvents(parts: EventParts) {
  return jobStep(parts.responder, async (request, reply) => {
    const news = new News(parts.watch, jobIdOf(request), reply.raw);
    try {
      const found = await parts.results.find(tenantOf(request), jobIdOf(request));
      if (!found.ok) return storeAway;
      if (!found.value) return noSuchJob;
      if (reply.raw.destroyed) return undefined;
      await new EventStream(parts, request, reply, news).play(found.value);
      return undefined;
    } finally {
      news.stop();
    }
  });
}

class EventStream {
  readonly #parts: EventParts;
  readonly #request: FastifyRequest;
  readonly #news: News;
  readonly #outlet: PacedOutlet;
  readonly #watchdog: Watchdog;
  #reader: ChunkReader;
  #toldStatus = '';
  #isOver = false;

  constructor(parts: EventParts, request: FastifyRequest, reply: FastifyReply, news: News) {
    const { clock, stallMs, streamMsMax, responder, exchanges } = parts;
    this.#parts = parts;
    this.#request = request;
    this.#news = news;
    request.call.streamed = true;
    this.#outlet = new PacedOutlet(reply.raw, stallMs);
    const limits = { first_byte_ms: streamMsMax, idle_ms: streamMsMax, total_ms: streamMsMax };
    this.#watchdog = new Watchdog(clock, limits, performance.now(), () => this.#breakOff(leaving));
    this.#watchdog.whenQuiet(COMMENT_EVERY_MS, () => this.#comment());
    const heard = readPlace(request.headers['last-event-id']);
    this.#reader = new ChunkReader(heard?.attempt ?? 0, heard);
    this.#outlet.begin(() => responder.begin(request, reply, 200, 'text/event-stream; charset=utf-8', []));
    exchanges.handOver(request.call, (refused) => this.#breakOff(refused));
  }

  async play(first: JobRecord): Promise<void> {
    // An attempt that has not been is nothing that anybody has heard of.
    if (this.#reader.attempt > first.attempt) this.#reader = new ChunkReader(0, undefined);
    try {
      let record: JobRecord | undefined = first;
      while (record && !this.#isEnded) {
        await this.#tell(record);
        if (this.#isEnded) return;
        record = await this.#next(record);
      }
      this.#breakOff(noSuchJob);
    } finally {
      this.#watchdog.stop();
    }
  }

  /** All that is known now. */
  async #tell(record: JobRecord): Promise<void> {
    const { id, status } = record;
    const over = isOver(status);
    if (!over && this.#toldStatus !== `${status} ${record.attempt}`) {
      this.#toldStatus = `${status} ${record.attempt}`;
      const standing = await this.#parts.standings.of(record);
      this.#write(eventText('status', [JSON.stringify(jobObject(record, standing))]));
    }
    const attempt = (over ? record.result_attempt : null) ?? record.attempt;
    if (attempt > 0 && attempt !== this.#reader.attempt) {
      if (this.#reader.attempt > 0) this.#write(eventText('attempt', [JSON.stringify({ attempt })]));
      this.#reader = new ChunkReader(attempt, undefined);
    }
    if (attempt > 0) await this.#playPieces(id);
    if (over) this.#end(eventText('done', [JSON.stringify(jobObject(record, undefined))]));
  }

  /** Until there are no more for now. For a caller who reads slowly few are held. */
  async #playPieces(id: string): Promise<void> {
    let countMax: number | undefined;
    while (!this.#isEnded) {
      const { attempt, next } = this.#reader;
      const read = await this.#persist(() => this.#parts.pieces.read(id, attempt, next, countMax));
      if (!read || read.kind === 'missing') return;
      if (read.kind === 'damaged') return this.#breakOff(damaged);
      for (const piece of read.pieces) {
        this.#writeChunks(this.#reader.push(piece));
        if (!this.#outlet.isBlocked) continue;
        countMax = PIECES_OF_THE_SLOW;
        await this.#outlet.taken();
      }
      if (read.isEnd) this.#writeChunks(this.#reader.end());
      if (read.isEnd || read.pieces.length === 0) return;
    }
  }

  /** The job as it is when something may have happened to it, and not only to the pieces of the attempt. */
  async #next(record: JobRecord): Promise<JobRecord | undefined> {
    for (;;) {
      const what = await this.#news.next(this.#reader.attempt);
      if (this.#isEnded) return record;
      if (this.#parts.exchanges.draining) {
        this.#breakOff(leaving);
        return record;
      }
      if (what === 'pieces') await this.#playPieces(record.id);
      else return this.#persist(() => this.#parts.results.find(record.tenant, record.id));
    }
  }

  /** A short absence of Redis is sat out. Undefined where there is nothing, or this stream has ended by it. */
  async #persist<T>(ask: () => Promise<Answer<T>>): Promise<T | undefined> {
    const limitAtMs = performance.now() + AWAY_MS_MAX;
    for (;;) {
      const answer = await ask();
      if (answer.ok) return answer.value;
      if (this.#isEnded) return undefined;
      if (performance.now() > limitAtMs) {
        this.#breakOff(storeAway);
        return undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, AWAY_RETRY_MS).unref());
    }
  }

  get #isEnded(): boolean {
    return this.#isOver || this.#outlet.isGone;
  }

  #writeChunks(chunks: readonly Chunk[]): void {
    if (chunks.length === 0) return;
    this.#write(chunks.map(({ id, data }) => eventText('chunk', data, id)).join(''));
  }

  #write(text: string): void {
    if (this.#isEnded) return;
    this.#watchdog.progress(performance.now());
    this.#outlet.write(text);
  }

  #comment(): void {
    if (!this.#isEnded && !this.#outlet.isBlocked) this.#outlet.write(COMMENT);
  }

  #breakOff(refused: Refusal): void {
    if (this.#isEnded) return;
    this.#request.call.refusal = refused;
    this.#request.call.broken = true;
    this.#end(eventText('error', [errorBody(refused)]));
    this.#news.stop();
  }

  #end(text: string): void {
    if (this.#isEnded) return;
    this.#isOver = true;
    this.#watchdog.stop();
    this.#outlet.end(text);
    this.#request.call.bytesOut = this.#outlet.bytes;
  }
}
