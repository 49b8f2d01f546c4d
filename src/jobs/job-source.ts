/** A job as the source of the answer to the caller who waits for it: what its worker writes is played as it comes. */

import type { Refusal } from '../core/errors.ts';
import { isOver, type JobRecord } from '../core/job.ts';
import { readJobAnswer } from '../core/job-answer.ts';
import type { JobTable } from '../redis/job-table.ts';
import type { PayloadTable } from '../redis/payload-table.ts';
import type { Answering, AnswerReceiver, AnswerShape, AnswerSource } from '../upstream/answer-source.ts';
import { StoredAnswerSource } from '../upstream/stored-answer.ts';
import type { Watch } from '../upstream/watchdog.ts';
import { answerGone, attemptLost, leaving, refusalOfJob, storeAway } from './job-error.ts';
import type { JobNews, JobWatch } from './watch.ts';

export interface JobSourceParts {
  readonly jobId: string;
  /** Its pieces are played as they come; otherwise nothing before its end. */
  readonly isStream: boolean;
  /** The caller is told at once that a stream will come, so that comments can keep his connection. */
  readonly isAnnounced: boolean;
  readonly shape: AnswerShape;
  readonly watch: Watch;
  readonly table: Pick<JobTable, 'find'>;
  readonly payloads: { readonly pieces: Pick<PayloadTable['pieces'], 'read'> } & Pick<
    PayloadTable,
    'readResult'
  >;
  readonly news: Pick<JobWatch, 'follow'>;
  readonly nowMs: () => number;
  /** This process is about to end, and another one can still take the caller. */
  readonly isLeaving: () => boolean;
  /** `over`: the job has ended. `left`: its caller does not wait for it any more. Once. */
  readonly ended: (how: 'over' | 'left') => void;
}

const STREAM = { 'content-type': 'text/event-stream' };
const AWAY_RETRY_MS = 500;
const AWAY_MS_MAX = 20_000;

type Reading = 'more' | 'whole' | 'missing' | 'stopped';

export class JobSource implements AnswerSource {
  target: Answering;
  readonly watch: Watch;
  /** Its worker has an eye on the server, and others on the worker. */
  readonly mayBeSilent = true;
  readonly #parts: JobSourceParts;
  #receiver: AnswerReceiver | undefined;
  #stored: StoredAnswerSource | undefined;
  #unfollow: (() => void) | undefined;
  #record: JobRecord | undefined;
  #isRecordOld = true;
  #isPiecesOld = true;
  #attempt = 0;
  #next = 0;
  /** A part of the answer has been handed over. */
  #begun = false;
  #paused = false;
  #over = false;
  #awaySinceMs: number | undefined;
  #wake: (() => void) | undefined;

  constructor(parts: JobSourceParts) {
    this.#parts = parts;
    this.watch = parts.watch;
    this.target = { upstream: { name: 'job' }, shape: parts.shape };
  }

  start(receiver: AnswerReceiver): void {
    this.#receiver = receiver;
    const { jobId, isStream, isAnnounced, news } = this.#parts;
    this.#unfollow = news.follow(jobId, (one) => this.#heard(one), { pieces: isStream });
    if (isAnnounced) receiver.answered(this.target, 200, STREAM);
    this.#play().catch((error: Error) =>
      this.#end('left', { ...answerGone, reason: `${this.#parts.jobId}: ${error.message}` }),
    );
  }

  pause(): void {
    this.#paused = true;
    this.#stored?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stored?.resume();
    this.#wake?.();
  }

  succeeded(): void {}

  blame(): void {}

  moveOn(): boolean {
    return false;
  }

  stop(): void {
    this.#stored?.stop();
    if (this.#close()) this.#parts.ended('left');
  }

  /** Ends the wait with what is no answer of the job's, unless that has begun or is over. */
  giveUp(refused: Refusal, how: 'over' | 'left'): void {
    if (!this.#begun) this.#end(how, refused);
  }

  #heard({ pieces, attempt }: JobNews): void {
    if (pieces === undefined || attempt !== this.#attempt) this.#isRecordOld = true;
    this.#isPiecesOld = true;
    this.#wake?.();
  }

  async #play(): Promise<void> {
    while (!this.#over) {
      if (this.#isRecordOld || this.#isPiecesOld) await this.#look();
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async #look(): Promise<void> {
    if (!this.#begun && this.#parts.isLeaving()) return this.#end('left', leaving);
    if (this.#isRecordOld || !this.#record) {
      this.#isRecordOld = false;
      const found = await this.#parts.table.find(this.#parts.jobId);
      if (this.#over) return;
      if (!found.ok) return this.#isAway();
      this.#awaySinceMs = undefined;
      this.#record = found.value;
    }
    this.#isPiecesOld = false;
    const job = this.#record;
    if (job?.status === 'completed') return this.#playResult(job.result_attempt ?? job.attempt);
    if (!job || isOver(job.status)) return this.#playFailure(job);
    if (job.attempt !== this.#attempt || job.status === 'queued') {
      if (this.#begun) return this.#end('left', attemptLost);
      this.#attempt = job.attempt;
      this.#next = 0;
    }
    if (job.status === 'in_progress' && this.#parts.isStream) await this.#playPieces(job.attempt);
  }

  /** All pieces that there are. */
  async #playPieces(attempt: number): Promise<Reading> {
    for (;;) {
      while (this.#paused && !this.#over) await new Promise<void>((resolve) => (this.#wake = resolve));
      if (this.#over) return 'stopped';
      const read = await this.#parts.payloads.pieces.read(this.#parts.jobId, attempt, this.#next);
      if (this.#over) return 'stopped';
      if (!read.ok) {
        await this.#isAway();
        return 'stopped';
      }
      const { value } = read;
      if (value.kind === 'missing') return 'missing';
      if (value.kind === 'damaged') {
        this.#end('left', answerGone);
        return 'stopped';
      }
      for (const piece of value.pieces) this.#deliver(piece);
      this.#next = value.next;
      if (value.isEnd) return 'whole';
      if (value.pieces.length === 0) return 'more';
    }
  }

  #deliver(piece: Buffer): void {
    if (this.#over) return;
    if (!this.#begun && !this.#parts.isAnnounced) this.#receiver?.answered(this.target, 200, STREAM);
    this.#begun = true;
    this.#receiver?.arrived(piece);
  }

  /** The pieces that are left, or the answer that came whole. */
  async #playResult(attempt: number): Promise<void> {
    const { isStream, isAnnounced } = this.#parts;
    if (attempt !== this.#attempt) {
      if (this.#begun) return this.#end('over', attemptLost);
      this.#attempt = attempt;
      this.#next = 0;
    }
    if (!isStream && (await this.#playWhole(attempt))) return;
    const reading = await this.#playPieces(attempt);
    if (reading === 'stopped' || this.#over) return;
    if (reading === 'missing' && isStream && !isAnnounced && (await this.#playWhole(attempt))) return;
    if (reading !== 'whole') return this.#end('over', answerGone);
    this.#close();
    this.#parts.ended('over');
    this.#receiver?.finished();
  }

  /** False: it did not come whole. */
  async #playWhole(attempt: number): Promise<boolean> {
    const read = await this.#parts.payloads.readResult(this.#parts.jobId, attempt);
    if (this.#over) return true;
    if (!read.ok) {
      await this.#isAway();
      return true;
    }
    if (read.value.kind === 'missing') return false;
    const answer = read.value.kind === 'whole' ? readJobAnswer(read.value.body) : undefined;
    if (read.value.kind !== 'whole' || !answer) {
      this.#end('over', answerGone);
      return true;
    }
    const { head, bodyAt } = answer;
    const { shape } = this.#parts;
    const stored = new StoredAnswerSource(
      {
        status: head.status,
        contentType: head.content_type || 'application/json',
        body: read.value.body.subarray(bodyAt),
        upstream: head.upstream ?? 'job',
        upstreamModel: shape.kind === 'openai' ? shape.upstreamModel : '',
      },
      shape,
      this.watch,
    );
    this.#begun = true;
    this.#close();
    this.#parts.ended('over');
    this.target = stored.target;
    this.#stored = stored;
    if (this.#receiver) stored.start(this.#receiver);
    return true;
  }

  async #playFailure(job: JobRecord | undefined): Promise<void> {
    const attempt = job?.result_attempt;
    const read = attempt ? await this.#parts.payloads.readResult(job.id, attempt) : undefined;
    const body = read?.ok && read.value.kind === 'whole' ? read.value.body : undefined;
    this.#end('over', refusalOfJob(job, body));
  }

  /** Redis does not answer: once more a little later, for some time. */
  async #isAway(): Promise<void> {
    const nowMs = this.#parts.nowMs();
    this.#awaySinceMs ??= nowMs;
    if (nowMs - this.#awaySinceMs > AWAY_MS_MAX) return this.#end('left', storeAway);
    this.#isRecordOld = true;
    await new Promise<void>((resolve) => setTimeout(resolve, AWAY_RETRY_MS).unref());
  }

  #end(how: 'over' | 'left', refused: Refusal): void {
    if (!this.#close()) return;
    this.#parts.ended(how);
    this.#receiver?.breakOff(refused);
  }

  /** False: it was over before. */
  #close(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#unfollow?.();
    this.#wake?.();
    return true;
  }
}
