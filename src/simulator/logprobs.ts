/** Probabilities that look like a model's and are always the same. */
import { wholeOf } from './json.ts';
import type { Prose } from './prose.ts';

interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

export interface ChatLogprobs {
  readonly content: readonly (TokenLogprob & { readonly top_logprobs: readonly TokenLogprob[] })[];
}

export function chatLogprobs({ pieces }: Prose, top: unknown): ChatLogprobs {
  return {
    content: pieces.map((piece, index) => ({
      ...token(piece, index, 0),
      top_logprobs: alternatives(piece, wholeOf(top, 0) ?? 0).map((other, rank) => token(other, index, rank)),
    })),
  };
}

export interface CompletionLogprobs {
  readonly text_offset: readonly number[];
  readonly token_logprobs: readonly number[];
  readonly tokens: readonly string[];
  readonly top_logprobs: readonly Readonly<Record<string, number>>[];
}

/** For pieces that begin at `offset` characters and token `first`. */
export function completionLogprobs(
  pieces: readonly string[],
  top: number,
  offset = 0,
  first = 0,
): CompletionLogprobs {
  let at = offset;
  return {
    text_offset: pieces.map((piece) => {
      at += piece.length;
      return at - piece.length;
    }),
    token_logprobs: pieces.map((_, index) => logprobOf(first + index, 0)),
    tokens: pieces,
    top_logprobs: pieces.map((piece, index) =>
      Object.fromEntries(
        alternatives(piece, top).map((other, rank) => [other, logprobOf(first + index, rank)]),
      ),
    ),
  };
}

function token(piece: string, index: number, rank: number): TokenLogprob {
  return { token: piece, logprob: logprobOf(index, rank), bytes: [...Buffer.from(piece)] };
}

function alternatives(piece: string, count: number): readonly string[] {
  return Array.from({ length: Math.min(count, 64) }, (_, rank) => (rank === 0 ? piece : ` other${rank}`));
}

function logprobOf(index: number, rank: number): number {
  return -(1 + (index % 7) + 8 * rank) / 10;
}
