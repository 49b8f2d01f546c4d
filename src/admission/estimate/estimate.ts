/** What is expected of a call, and what in the request that rests on. */
import type { PromptCounts, PromptImage } from './prompt-counts.ts';

export interface Estimate {
  /** Whole numbers of tokens. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly images: readonly PromptImage[];
  /** What the estimate rests on; `learn` needs it again. */
  readonly basis: EstimateBasis;
}

export interface EstimateBasis {
  readonly counts: PromptCounts;
  readonly answer: AnswerBasis;
}

/** What the request says of its answer. */
export interface AnswerBasis {
  /** How many answers. */
  readonly choices: number;
  /** Tokens that the request allows each of them; Infinity where it does not say, 0 where nothing is written. */
  readonly answerMax: number;
  /** What log-probabilities add to each token of the answer; 0 without them. */
  readonly extraBytes: number;
}

const silentEndpoints: ReadonlySet<string> = new Set(['/v1/embeddings', '/v1/rerank', '/v1/score']);
/** Of one token with its log-probability, as JSON. */
const LOGPROB_BYTES = 75;

/** @param prompts how many the request has; each is answered as often as `n` says */
export function answerBasis(
  body: Record<string, unknown>,
  endpointPath: string,
  prompts: number,
): AnswerBasis {
  return {
    choices: prompts * Math.max(1, countOf(body.n), countOf(body.best_of)),
    answerMax: silentEndpoints.has(endpointPath) ? 0 : answerMaxOf(body),
    extraBytes: extraBytesOf(body),
  };
}

/** The least of those that are there; -1 and absence mean: until the model ends. */
function answerMaxOf(body: Record<string, unknown>): number {
  return Math.min(maxOf(body.max_tokens), maxOf(body.max_completion_tokens), maxOf(body.max_output_tokens));
}

function maxOf(value: unknown): number {
  return isCount(value) ? value : Number.POSITIVE_INFINITY;
}

/** In chat a switch with a number beside it, in completions a number. */
function extraBytesOf({ logprobs, top_logprobs: top }: Record<string, unknown>): number {
  if (logprobs === undefined || logprobs === null || logprobs === false) return 0;
  return LOGPROB_BYTES * (1 + Math.max(countOf(logprobs), countOf(top)));
}

function countOf(value: unknown): number {
  return isCount(value) ? value : 0;
}

export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
