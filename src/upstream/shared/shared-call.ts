/**
 * One upstream call for several callers. What the server answers is written on a tape, from which each caller's relay
 * reads at its own pace:
 *
 *     Attempts ──▶ SharedCall ──▶ conductor   a relay to nobody: time limits, failover, usage, whether it is whole
 *                             ──▶ tape ──▶ SharedReader ──▶ Relay ──▶ caller
 *                                      ──▶ SharedReader ──▶ Relay ──▶ caller
 *
 * The conductor hears everything first and decides for all; the callers' relays come to the same conclusions when
 * they read the same bytes, so that each error is worded for its caller. Up to `bytesMax` of an answer no reader stops
 * another; behind that the server waits for the slowest, and nobody can join any more.
 *
 * The call ends with its server's answer, with a failure, or when the last reader has left, unless it is kept. The
 * record of it, which is settled, is a Call of its own: the caller who pays may have left long before.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Call, CallEnd } from '../../core/call.ts';
import type { Refusal } from '../../core/errors.ts';
import type { Answering, AnswerReceiver, AnswerShape, AnswerSource, SharedEnd } from '../answer-source.ts';
import { Attempts, type Route, type Target } from '../attempts.ts';
import type { Cause } from '../failure.ts';
import type { FailureKind } from '../health/server-health.ts';
import type { Model } from '../models.ts';
import { Relay } from '../relay.ts';
import type { Limits, Watch } from '../watchdog.ts';
import { AnswerTape, type TapeRoom } from './answer-tape.ts';
import { endOf } from './shared-end.ts';
import { SharedReader } from './shared-reader.ts';

export interface SharedCallParts {
  /** What the upstream call did; one of the callers pays for it. */
  readonly record: Call;
  readonly model: Model;
  readonly limits: Limits & { readonly connect_ms: number };
  /** How much of the answer is kept for those who come later. */
  readonly bytesMax: number;
  readonly room: TapeRoom;
  /** Over the time limits of its readers. */
  readonly watch: Watch;
  /** Once. The server has no more to do with it; readers may still be behind. */
  over(how: CallEnd): void;
  /** Once; also where it is over. */
  cannotBeJoined(): void;
}

export interface ReaderWishes {
  /** The call goes on although nobody listens any more, within its time limits. */
  readonly kept: boolean;
  shapeOf(target: Target): AnswerShape;
  /** Told once how the upstream call has ended, whether or not the reader is still there. */
  readonly ended?: ((end: SharedEnd) => void) | undefined;
}

export class SharedCall implements AnswerReceiver, AnswerSource {
  readonly model: Model;
  readonly limits: SharedCallParts['limits'];
  readonly #parts: SharedCallParts;
  #tape: AnswerTape;
  #readers: SharedReader[] = [];
  readonly #listeners: ((end: SharedEnd) => void)[] = [];
  #attempts: Attempts | undefined;
  #conductor: Relay | undefined;
  #isKept = false;
  #isClosed = false;
  /** The server has been stopped, because a reader is behind. */
  #isHeld = false;
  #isOver = false;

  constructor(parts: SharedCallParts) {
    this.#parts = parts;
    this.model = parts.model;
    this.limits = parts.limits;
    this.#tape = new AnswerTape(parts.bytesMax, parts.room);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  // --- the callers' side ---

  /** Only as long as it can be joined. */
  join({ kept, shapeOf, ended }: ReaderWishes): SharedReader {
    const reader = new SharedReader({
      tape: this.#tape,
      watch: this.#parts.watch,
      shapeOf,
      readOn: () => this.#letGo(),
      left: (one) => this.#left(one),
    });
    this.#readers.push(reader);
    this.#isKept ||= kept;
    if (ended) this.#listeners.push(ended);
    return reader;
  }

  /** A server has been found. */
  begin(route: Route): void {
    const { record, limits } = this.#parts;
    this.#attempts = new Attempts({
      call: record,
      route,
      connectTimeoutMs: limits.connect_ms,
      replayable: true,
    });
    this.#conductor = new Relay({
      call: record,
      caller: {
        response: undefined,
        head: (status) => {
          record.status = status;
        },
        refuse: (refused) => {
          record.refusal = refused;
          record.status = refused.status;
        },
        ended: (how) => this.#end(how),
      },
      source: this,
      limits,
    });
    this.#conductor.start();
  }

  // --- what the attempts tell; `breakOff` is also for the end of the process, and where no server is found ---

  answered(target: Answering, status: number, headers: IncomingHttpHeaders): void {
    if (this.#tape.head) this.#turnOver({ kind: 'replaced' });
    this.#tape.head = { target: target as Target, status, headers };
    this.#conductor?.answered({ upstream: target.upstream, shape: asSeen(target.shape) }, status, headers);
    this.#playAll();
  }

  arrived(piece: Buffer): void {
    const tape = this.#tape;
    tape.append(piece);
    if (tape.isLong) this.#close();
    this.#conductor?.arrived(piece);
    this.#playAll();
    if (this.#tape === tape) this.#hold(tape);
  }

  finished(): void {
    this.#tape.ended = { kind: 'finished' };
    this.#conductor?.finished();
    this.#playAll();
  }

  failed(target: Answering, cause: Cause, detail: string): void {
    this.#tape.ended = { kind: 'failed', upstream: target.upstream, cause, detail };
    this.#conductor?.failed(target, cause, detail);
    this.#playAll();
  }

  breakOff(refused: Refusal): void {
    if (this.#isOver) return;
    if (this.#conductor) return this.#conductor.breakOff(refused);
    this.#parts.record.refusal = refused;
    this.#end('failed');
  }

  // --- what the conductor asks for ---

  get target(): Answering {
    const { upstream, shape } = (this.#attempts as Attempts).target;
    return { upstream, shape: asSeen(shape) };
  }

  get watch(): Watch {
    return (this.#attempts as Attempts).watch;
  }

  get mayBeSilent(): boolean {
    return this.#isHeld;
  }

  start(): void {
    this.#attempts?.start(this);
  }

  pause(): void {
    this.#attempts?.pause();
  }

  resume(): void {
    if (!this.#isHeld) this.#attempts?.resume();
  }

  succeeded(): void {
    this.#attempts?.succeeded();
  }

  blame(kind: FailureKind): void {
    this.#attempts?.blame(kind);
  }

  moveOn(reason: string): boolean {
    const last = this.#tape;
    const { ended } = last;
    this.#turnOver({ kind: 'replaced' });
    if (this.#attempts?.moveOn(reason)) return true;
    this.#tape = last;
    last.next = undefined;
    last.ended = ended;
    return false;
  }

  stop(reason: string): void {
    this.#attempts?.stop(reason);
  }

  // --- ---

  /** What comes from now on is the answer of another server. */
  #turnOver(end: { readonly kind: 'replaced' }): void {
    const next = new AnswerTape(this.#parts.bytesMax, this.#parts.room);
    this.#tape.leaveRoom();
    this.#tape.ended ??= end;
    this.#tape.next = next;
    this.#tape = next;
    this.#isHeld = false;
  }

  #playAll(): void {
    for (const reader of [...this.#readers]) reader.play();
  }

  /** Bounds what lies in memory: of a long answer no more comes while somebody is behind. */
  #hold(tape: AnswerTape): void {
    if (!tape.isLong || this.#isOver) return;
    if (this.#readers.every((reader) => reader.isAtEndOf(tape))) return tape.forget();
    this.#isHeld = true;
    this.#attempts?.pause();
  }

  #letGo(): void {
    const tape = this.#tape;
    if (!this.#isHeld || !this.#readers.every((reader) => reader.isAtEndOf(tape))) return;
    tape.forget();
    this.#isHeld = false;
    this.#conductor?.readOn();
  }

  #left(reader: SharedReader): void {
    this.#readers = this.#readers.filter((one) => one !== reader);
    if (this.#isOver) return this.#leaveRoom();
    if (this.#readers.length > 0 || this.#isKept) this.#letGo();
    else if (this.#conductor) this.#conductor.leave();
    else this.#end('client_gone');
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#parts.cannotBeJoined();
  }

  #end(how: CallEnd): void {
    const { record } = this.#parts;
    this.#isOver = true;
    this.#close();
    if (record.refusal) this.#tape.ended ??= { kind: 'broken_off', refused: record.refusal };
    this.#parts.over(how);
    const end = endOf(this.#tape, how, record.refusal);
    for (const listener of this.#listeners) listener(end);
    this.#playAll();
    this.#leaveRoom();
  }

  #leaveRoom(): void {
    if (this.#readers.length === 0) this.#tape.leaveRoom();
  }
}

/** For the conductor: nothing is added to an answer that nobody reads. */
function asSeen(shape: AnswerShape): AnswerShape {
  return shape.kind === 'openai' ? { ...shape, lastMember: undefined, suffix: undefined } : shape;
}
