/**
 * A stream, token by token at its own pace. All tokens that are due leave in one write, so a stream that was
 * held up (a slow tick, a full socket) catches up; with no pause between tokens the whole answer is one write.
 */
import type { Stream } from './answer.ts';
import { cutAfter, type Delivery, type Ends, type Timing } from './delivery.ts';
import type { Fault } from './faults.ts';
import type { Paced, Pacer } from './pacer.ts';
import type { Reply } from './reply.ts';

const WRITE_MAX_CHARACTERS = 65_536;

export class StreamDelivery implements Delivery, Paced {
  waiting = false;
  dueTick = 0;
  readonly #answer: Stream;
  readonly #fault: Fault;
  readonly #reply: Reply;
  readonly #pacer: Pacer;
  readonly #ends: Ends;
  readonly #tokenMs: number;
  readonly #firstAtMs: number;
  readonly #stepsMax: number;
  #step = 0;
  #opened = false;
  #stopped = false;

  constructor(answer: Stream, fault: Fault, timing: Timing, reply: Reply, pacer: Pacer, ends: Ends) {
    this.#answer = answer;
    this.#fault = fault;
    this.#reply = reply;
    this.#pacer = pacer;
    this.#ends = ends;
    this.#tokenMs = timing.tokenMs;
    this.#firstAtMs = pacer.nowMs() + timing.firstTokenMs;
    this.#stepsMax = Math.min(answer.steps + extraSteps(answer, fault), cutAfter(fault));
  }

  begin(): void {
    const nowMs = this.#pacer.nowMs();
    this.#reply.head(200, 'text/event-stream; charset=utf-8', undefined);
    if (this.#firstAtMs <= nowMs) {
      this.run(nowMs);
      return;
    }
    // The headers do not wait for the first token.
    this.#reply.flushHead();
    this.#pacer.schedule(this, this.#firstAtMs);
  }

  get sentTokens(): number {
    if (this.#answer.steps === 0) return 0;
    const { outputTokens, steps } = this.#answer;
    return Math.round((outputTokens * Math.min(this.#step, steps)) / steps);
  }

  stop(): void {
    this.#stopped = true;
    this.#pacer.cancel(this);
  }

  run(nowMs: number): void {
    if (this.#stopped) return;
    const due = this.#due(nowMs);
    while (this.#step < due) {
      if (this.#reply.write(this.#frames(due))) continue;
      this.#reply.onDrain(() => this.run(this.#pacer.nowMs()));
      return;
    }
    if (this.#step < this.#stepsMax) {
      this.#pacer.schedule(this, this.#firstAtMs + this.#step * this.#tokenMs);
    } else if (this.#fault.cut !== undefined && this.#step >= cutAfter(this.#fault)) {
      this.#breakOff(this.#fault.cut);
    } else {
      this.#reply.end(this.#opened ? this.#answer.closing : this.#answer.opening + this.#answer.closing);
      this.#ends.ended();
    }
  }

  #due(nowMs: number): number {
    if (this.#tokenMs === 0) return this.#stepsMax;
    return Math.min(this.#stepsMax, Math.floor((nowMs - this.#firstAtMs) / this.#tokenMs) + 1);
  }

  #frames(due: number): string {
    let text = '';
    if (!this.#opened) {
      this.#opened = true;
      text = this.#answer.opening;
    }
    while (this.#step < due && text.length < WRITE_MAX_CHARACTERS) {
      text += this.#answer.frame(this.#step++ % this.#answer.steps);
    }
    return text;
  }

  #breakOff(how: NonNullable<Fault['cut']>): void {
    if (how === 'end') {
      this.#reply.end();
      this.#ends.ended();
      return;
    }
    if (this.#step === 0) this.#reply.flushHead();
    this.#ends.cut(how);
  }
}

/** A huge answer says its words again and again, uncounted. */
function extraSteps(answer: Stream, fault: Fault): number {
  if (!fault.answer_bytes || answer.steps === 0) return 0;
  return Math.ceil(fault.answer_bytes / answer.frame(0).length);
}
