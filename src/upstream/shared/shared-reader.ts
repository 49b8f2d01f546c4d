import type { Answering, AnswerReceiver, AnswerShape, AnswerSource } from '../answer-source.ts';
import type { Target } from '../attempts.ts';
import type { Watch } from '../watchdog.ts';
import type { AnswerTape } from './answer-tape.ts';

interface SharedReaderParts {
  readonly tape: AnswerTape;
  readonly watch: Watch;
  /** A server answers: how its answer is mapped for this caller. Again where another server's takes its place. */
  shapeOf(target: Target): AnswerShape;
  /** It reads on after a pause, or from another answer. */
  readOn(): void;
  left(reader: SharedReader): void;
}

const NOBODY: Answering = { upstream: { name: 'none' }, shape: { kind: 'plain' } };

/** One caller's part in a shared call: the answer from its beginning, at the pace of this caller. */
export class SharedReader implements AnswerSource {
  target = NOBODY;
  readonly watch: Watch;
  /** The shared call has an eye on its server. */
  readonly mayBeSilent = true;
  readonly #parts: SharedReaderParts;
  #tape: AnswerTape;
  #receiver: AnswerReceiver | undefined;
  #at = 0;
  #isHeadRead = false;
  #paused = false;
  #playing = false;
  #over = false;

  constructor(parts: SharedReaderParts) {
    this.#parts = parts;
    this.#tape = parts.tape;
    this.watch = parts.watch;
  }

  /** Has it read everything of this? */
  isAtEndOf(tape: AnswerTape): boolean {
    return this.#tape === tape && this.#at === tape.length;
  }

  start(receiver: AnswerReceiver): void {
    this.#receiver = receiver;
    this.play();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.play();
    this.#parts.readOn();
  }

  succeeded(): void {}

  blame(): void {}

  /** Whether another server is asked was decided before this reader heard of the failure. */
  moveOn(): boolean {
    const { next } = this.#tape;
    if (!next || this.#over) return false;
    this.#tape = next;
    this.#at = 0;
    this.#isHeadRead = false;
    return true;
  }

  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#parts.left(this);
  }

  /** Reads what has come, as far as the caller takes it. */
  play(): void {
    if (this.#playing || !this.#receiver) return;
    this.#playing = true;
    while (!this.#paused && !this.#over && this.#step(this.#receiver, this.#tape));
    this.#playing = false;
  }

  /** False: there is nothing more for now. */
  #step(receiver: AnswerReceiver, tape: AnswerTape): boolean {
    if (tape.head && !this.#isHeadRead) {
      const { target, status, headers } = tape.head;
      this.#isHeadRead = true;
      this.target = { upstream: target.upstream, shape: this.#parts.shapeOf(target) };
      receiver.answered(this.target, status, headers);
      return true;
    }
    if (this.#at < tape.length) {
      const piece = tape.read(this.#at);
      this.#at += piece.length;
      receiver.arrived(piece);
      return true;
    }
    if (!tape.ended) return false;
    this.#tellEnd(receiver, tape);
    // The receiver may have gone over to the answer of another server.
    if (this.#tape === tape) this.stop();
    return true;
  }

  #tellEnd(receiver: AnswerReceiver, { ended }: AnswerTape): void {
    if (ended?.kind === 'finished') receiver.finished();
    else if (ended?.kind === 'failed') {
      this.target = { ...this.target, upstream: ended.upstream };
      receiver.failed(this.target, ended.cause, ended.detail);
    } else if (ended?.kind === 'broken_off') receiver.breakOff(ended.refused);
    else this.moveOn();
  }
}
