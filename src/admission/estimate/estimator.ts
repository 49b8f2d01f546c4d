/** What a call will cost, before it runs, and what it has cost where the server did not say. */
import type { Usage } from '../../core/usage.ts';
import { answerBasis, type Estimate, isCount } from './estimate.ts';
import { LearnedModel } from './learned-model.ts';
import { countPrompt } from './prompt.ts';
import type { PromptImage } from './prompt-counts.ts';
import { learnPace, type SeenAnswer, streamedTokens, timedTokens, wholeTokens } from './unmetered.ts';

export type { Estimate } from './estimate.ts';

/** How a call went that ran to its end, by the usage that its server has sent. */
export interface Observation extends SeenAnswer {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly gpuMs: number;
}

/** Not rounded. */
export interface PromptBounds {
  readonly least: number;
  readonly most: number;
}

/** A call whose server has not said what it cost. */
export interface Unmetered extends SeenAnswer {
  readonly estimate: Estimate;
  readonly aborted: boolean;
}

/** @param ratio what it was ÷ what was expected; 1 is right */
export type OnEstimateError = (model: string, kind: 'input' | 'output', ratio: number) => void;

/** Far above what a configuration names; it only keeps a mistake from growing without end. */
export const LEARNED_MODELS_MAX = 1_000;

/** Nothing is refused on an estimate of less than twice what there is room for, however good the last ones were. */
const REFUSING_DEVIATION = 0.5;
const noImages: readonly PromptImage[] = Object.freeze([]);
/** A count below this part of what was streamed has left choices out; an honest one is hardly so far off. */
const HONEST_PART = 0.6;

export class Estimator {
  readonly #models = new Map<string, LearnedModel>();
  readonly #unlearned = new LearnedModel();
  readonly #onError: OnEstimateError;

  constructor(onError: OnEstimateError) {
    this.#onError = onError;
  }

  /**
   * Takes some microseconds, and far less than parsing the body did.
   * @param model public name, from the configuration or discovered: never what a client made up
   * @param body its types, depth and caps must have been checked
   * @param bytes size of the body
   */
  estimate(model: string, body: Record<string, unknown>, bytes: number, endpointPath: string): Estimate {
    const learned = this.#of(model);
    const counts = countPrompt(body, bytes, endpointPath);
    const answer = answerBasis(body, endpointPath, counts.prompts);
    return {
      inputTokens: Math.ceil(learned.promptTokens(counts)),
      outputTokens: Math.ceil(Math.min(learned.value('answer'), answer.answerMax)) * answer.choices,
      images: counts.found ?? noImages,
      basis: { counts, answer },
    };
  }

  /**
   * Between what numbers of tokens the prompt most likely is. `most` follows what was learned of the errors; `least`
   * does so with a wide margin, and leaves out what some servers do not read, because a caller may be refused on it.
   * Undefined where something counts that cannot be seen from here.
   */
  promptBounds(model: string, { basis: { counts } }: Estimate): PromptBounds | undefined {
    if (!counts.measurable) return undefined;
    const learned = this.#of(model);
    const deviation = learned.value('deviation');
    const { exact } = counts;
    const text = learned.textTokens(counts) - exact;
    const expected = learned.promptTokens(counts) - exact;
    return {
      least: exact + text * (1 - Math.max(deviation, REFUSING_DEVIATION)),
      most: exact + expected * (1 + deviation),
    };
  }

  /** Each call at most once, and only when the whole answer has come. */
  learn(model: string, { basis, inputTokens, outputTokens }: Estimate, seen: Observation): void {
    const { counts, answer } = basis;
    const learned = this.learnedOf(model);
    // Of several prompts some servers count one.
    if (isCount(seen.inputTokens) && seen.inputTokens > 0 && counts.measurable && counts.prompts === 1) {
      if (inputTokens > 0) this.#onError(model, 'input', seen.inputTokens / inputTokens);
      learned.learnPrompt(counts, seen.inputTokens);
    }
    if (isCount(seen.gpuMs)) learned.learnMean('gpu_ms', seen.gpuMs);
    // And likewise of several choices.
    if (answer.answerMax === 0 || answer.choices > 1 || !isCount(seen.outputTokens)) return;
    if (outputTokens > 0) this.#onError(model, 'output', seen.outputTokens / outputTokens);
    learned.learnAnswer(seen.outputTokens, answer.answerMax);
    learnPace(learned, answer, seen, seen.outputTokens);
  }

  /** Bytes of a stream for each token of the answer. */
  bytesPerOutputToken(model: string): number {
    return this.#of(model).value('streamed_bytes');
  }

  /** Of one answer. */
  tokensPerSecond(model: string): number {
    return this.#of(model).value('tokens_per_second');
  }

  /** What a call is expected to take of the GPUs, in whole milliseconds. */
  gpuMs(model: string): number {
    return Math.round(this.#of(model).value('gpu_ms'));
  }

  /** @param reservedOutput tokens; the bound for a call of which nothing but its time was seen */
  withoutUsage(model: string, call: Unmetered, reservedOutput: number): Usage {
    const { estimate, streamed, aborted, answerBytes, elapsedMs } = call;
    const { answer } = estimate.basis;
    const learned = this.#of(model);
    let output: number;
    if (streamed) output = streamedTokens(learned, answer, answerBytes);
    else if (aborted) output = Math.min(reservedOutput, timedTokens(learned, answer, elapsedMs));
    else output = wholeTokens(learned, answer, answerBytes);
    return {
      inputTokens: estimate.inputTokens,
      outputTokens: Math.ceil(Math.min(output, answer.answerMax * answer.choices)),
      cachedTokens: 0,
    };
  }

  /**
   * Never bill less than was streamed: some servers count one choice of several, or none. A count of a single
   * choice is the server's to make and stays as it is, however long its tokens were in bytes.
   */
  atLeastStreamed(usage: Usage, streamedBytes: number, model: string, { basis }: Estimate): Usage {
    const { choices, answerMax } = basis.answer;
    const counted = usage.outputTokens;
    if (answerMax === 0 || (choices === 1 && counted > 0)) return usage;
    const streamed = streamedTokens(this.#of(model), basis.answer, streamedBytes);
    if (counted >= streamed * HONEST_PART) return usage;
    const most = counted > 0 ? Math.min(counted, answerMax) * choices : answerMax * choices;
    return { ...usage, outputTokens: Math.ceil(Math.min(streamed, most)) };
  }

  /** What was learned of a model; made when there is nothing yet. */
  learnedOf(model: string): LearnedModel {
    const known = this.#models.get(model);
    if (known) return known;
    if (this.#models.size >= LEARNED_MODELS_MAX) {
      const [oldest] = this.#models.keys();
      if (oldest !== undefined) this.#models.delete(oldest);
    }
    const made = new LearnedModel();
    this.#models.set(model, made);
    return made;
  }

  #of(model: string): LearnedModel {
    return this.#models.get(model) ?? this.#unlearned;
  }
}
