import type { Answering, AnswerReceiver, AnswerShape, AnswerSource, StoredAnswer } from './answer-source.ts';
import type { Watch } from './watchdog.ts';

/** An answer in one piece is read soonest; longer ones let the others have their turn in between. */
const PIECE_BYTES = 131_072;

/** Plays an answer that was stored as if the GPU server gave it now. */
export class StoredAnswerSource implements AnswerSource {
  readonly target: Answering;
  readonly watch: Watch;
  readonly mayBeSilent = true;
  readonly #answer: StoredAnswer;
  #receiver: AnswerReceiver | undefined;
  #at = 0;
  #paused = false;
  #playing = false;
  #over = false;

  /** @param shape how it is mapped for this caller */
  constructor(answer: StoredAnswer, shape: AnswerShape, watch: Watch) {
    this.#answer = answer;
    this.target = { upstream: { name: answer.upstream }, shape };
    this.watch = watch;
  }

  start(receiver: AnswerReceiver): void {
    const { status, contentType, body } = this.#answer;
    this.#receiver = receiver;
    receiver.answered(this.target, status, {
      'content-type': contentType,
      'content-length': String(body.length),
    });
    this.#play();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#play();
  }

  succeeded(): void {}

  blame(): void {}

  moveOn(): boolean {
    return false;
  }

  stop(): void {
    this.#over = true;
  }

  #play(): void {
    if (this.#playing) return;
    this.#playing = true;
    while (!this.#paused && !this.#over) this.#step();
    this.#playing = false;
  }

  #step(): void {
    const { body } = this.#answer;
    if (this.#at < body.length) {
      const piece = body.subarray(this.#at, this.#at + PIECE_BYTES);
      this.#at += piece.length;
      this.#receiver?.arrived(piece);
    } else {
      this.#over = true;
      this.#receiver?.finished();
    }
  }
}
