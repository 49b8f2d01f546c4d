/**
 * What an answer has cost whose server has not said so, or not all of it: by its bytes, or by the time that was
 * spent on it.
 */
import type { AnswerBasis } from './estimate.ts';
import type { LearnedModel } from './learned-model.ts';

/** As far as it came. */
export interface SeenAnswer {
  readonly streamed: boolean;
  /** Of its body, as the GPU server sent it. */
  readonly answerBytes: number;
  /** From forwarding to its end. */
  readonly elapsedMs: number;
}

/** What a stream says beside its tokens, for each choice: role, finish reason, end. */
const STREAM_FRAME_BYTES = 512;
const WHOLE_FRAME_BYTES = 400;
/** Fewer tokens tell more of the framing than of themselves. */
const TELLING_TOKENS = 8;

/** From an answer that came to its end and whose tokens the server has counted. */
export function learnPace(learned: LearnedModel, basis: AnswerBasis, seen: SeenAnswer, tokens: number): void {
  const { streamed, answerBytes, elapsedMs } = seen;
  if (tokens < TELLING_TOKENS) return;
  if (elapsedMs > 0) learned.learnMean('tokens_per_second', (tokens * 1_000) / elapsedMs);
  const bytes = answerBytes - (streamed ? STREAM_FRAME_BYTES : WHOLE_FRAME_BYTES);
  if (bytes > 0 && basis.extraBytes === 0) {
    learned.learnMean(streamed ? 'streamed_bytes' : 'whole_bytes', bytes / tokens);
  }
}

/** Tokens, not rounded, for so many bytes of a stream. */
export function streamedTokens(learned: LearnedModel, basis: AnswerBasis, bytes: number): number {
  const spoken = Math.max(0, bytes - STREAM_FRAME_BYTES * basis.choices);
  return spoken / (learned.value('streamed_bytes') + basis.extraBytes);
}

/** The same for a whole body. */
export function wholeTokens(learned: LearnedModel, basis: AnswerBasis, bytes: number): number {
  const spoken = Math.max(0, bytes - WHOLE_FRAME_BYTES);
  return spoken / (learned.value('whole_bytes') + basis.extraBytes);
}

/** And for time in which nothing was seen. */
export function timedTokens(learned: LearnedModel, basis: AnswerBasis, elapsedMs: number): number {
  return (elapsedMs / 1_000) * learned.value('tokens_per_second') * basis.choices;
}
