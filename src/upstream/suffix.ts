/** Answers on their way through a relay, with a text behind them where a policy wants one. */
import type { Usage } from '../core/usage.ts';
import type { AnswerShape } from './answer-source.ts';
import { JsonAnswer } from './json-answer.ts';
import { EVENT_BYTES_MAX, endOfFirstEvent, SseAnswer, type StreamShape } from './sse.ts';
import { SuffixedChunks } from './suffix-chunks.ts';
import { SuffixedJson } from './suffix-json.ts';
import { SuffixedResponse } from './suffix-response.ts';

const PLAIN_STREAM: StreamShape = { model: undefined, dropUsageChunk: false, ending: 'unknown' };

export function streamFor(shape: AnswerShape): SseAnswer | SuffixedStream {
  if (shape.kind === 'plain') return new SseAnswer(PLAIN_STREAM);
  const stream = new SseAnswer(shape);
  return shape.suffix === undefined ? stream : new SuffixedStream(stream, shape, shape.suffix);
}

export function jsonFor(shape: AnswerShape & { kind: 'openai' }): JsonAnswer | SuffixedJson {
  const json = new JsonAnswer(shape.model, shape.lastMember);
  return shape.suffix === undefined ? json : new SuffixedJson(json, shape.suffix);
}

/** A stream of server-sent events on its way through, with a text behind each of its choices. */
export class SuffixedStream {
  /** What the gateway itself has added, in bytes, less what it holds. */
  addedBytes = 0;
  readonly #stream: SseAnswer;
  readonly #suffixed: SuffixedChunks | SuffixedResponse;
  #holdsTooMuch = false;

  constructor(stream: SseAnswer, { ending }: StreamShape, suffix: string) {
    this.#stream = stream;
    this.#suffixed = ending === 'terminal_event' ? new SuffixedResponse(suffix) : new SuffixedChunks(suffix);
  }

  get usage(): Usage | undefined {
    return this.#stream.usage;
  }

  get complete(): boolean {
    return this.#stream.complete;
  }

  get overflow(): boolean {
    return this.#holdsTooMuch || this.#stream.overflow;
  }

  get failure(): Buffer | undefined {
    return this.#stream.failure;
  }

  get betweenEvents(): boolean {
    return this.#stream.betweenEvents;
  }

  push(piece: Buffer): Buffer | undefined {
    return this.#pass(this.#stream.push(piece), false);
  }

  end(): Buffer | undefined {
    return this.#pass(this.#stream.end(), true);
  }

  #pass(block: Buffer | undefined, isLast: boolean): Buffer | undefined {
    const out: Buffer[] = [];
    for (let at = 0; block && at < block.length; ) {
      const end = endOfFirstEvent(block, at);
      this.#suffixed.event(block.subarray(at, end), out);
      at = end;
    }
    if (this.#suffixed.heldBytes > EVENT_BYTES_MAX) this.#holdsTooMuch = true;
    // Behind a failure nothing comes.
    if (isLast || this.failure) this.#suffixed.flush(out);
    if (out.length === 0 && !block) return undefined;
    const passed = Buffer.concat(out);
    this.addedBytes += passed.length - (block?.length ?? 0);
    return passed.length > 0 ? passed : undefined;
  }
}
