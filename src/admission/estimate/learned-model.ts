/**
 * What one replica has learned of one model.
 *
 * The prompt. Nobody here has the model's tokenizer, and its count is known only after the call. But the count is
 * nearly a weighted sum of things that are cheap to count: letters, signs, digits, messages, pixels. So the
 * weights are learned, call by call: the error of the prediction is spread over the weights, each by how much it
 * contributed and how uncertain it was to begin with (normalised least mean squares, with the gain of a Kalman
 * filter whose covariance stays as it was at the start; Haykin, Adaptive Filter Theory). Two bounds make it safe
 * to learn from callers. No call moves a weight by more than three per cent (of a small one: of its base), so what
 * counts is how many calls pull and not how hard: a third of all calls, with absurd prompts, makes the others'
 * estimates wrong by less than 15 %. And no weight leaves its range.
 *
 * The answer. A reservation that is too low makes debt, which holds the caller's next calls back; one that is too
 * high refuses calls that would have fitted, but only until the call ends and gives the rest back. A mean would be
 * too low for a good part of the calls. So it is the 80th percentile, found without keeping any answers: an
 * answer above the value raises it by four times as much as one below lowers it, and at the percentile both
 * cancel out (Robbins and Monro, 1951). Answers that their own `max_tokens` has cut off say nothing about longer
 * ones, and do not lower it.
 *
 * When it is wrong: for text unlike what the model has been asked lately (base64, long runs of spaces), for a
 * template that writes very different preambles for different calls, and for the first hundred calls of a model
 * that is unlike others. Every settlement corrects the books; only the reservation was wrong.
 */
import type { PromptCounts } from './prompt-counts.ts';
import {
  clamped,
  promptQuantities,
  promptQuantityNames,
  type QuantityName,
  quantityNames,
  record,
  startValues,
  stepped,
} from './quantities.ts';

/** The part of an error that one call corrects. */
const PROMPT_GAIN = 0.25;
const MEAN_GAIN = 0.1;
const ANSWER_QUANTILE = 0.8;
/** A raise is at most 0.8 of it. */
const ANSWER_STEP = 0.035;
const DEVIATION_QUANTILE = 0.95;
const DEVIATION_STEP = 0.03;
/** A template's own words, of unknown number, outweigh all errors in a shorter prompt. */
const LONG_PROMPT_TOKENS = 256;

type Values = Record<QuantityName, number>;

/** Values and what they rest on, at one moment. */
export interface Learned {
  readonly values: Readonly<Values>;
  /** Calls since the last merge; one that taught several quantities counts for each in part. */
  readonly evidence: Readonly<Values>;
}

/** What replicas have agreed on, and the evidence for it. */
export type Agreement = Readonly<Record<QuantityName, readonly [value: number, evidence: number]>>;

export class LearnedModel {
  readonly #values = startValues();
  readonly #evidence = record(() => 0);

  value(name: QuantityName): number {
    return this.#values[name];
  }

  /** Without rounding. */
  promptTokens(counts: PromptCounts): number {
    const of = this.#values;
    return (
      counts.letters * of.letters +
      counts.cjk * of.cjk +
      counts.code * of.code +
      counts.other * of.other +
      counts.messages * of.messages +
      counts.template * of.template +
      counts.texts * of.texts +
      counts.tools * of.tools +
      counts.schema * of.schema +
      counts.images * of.images +
      counts.megapixels * of.megapixels +
      counts.exact
    );
  }

  learnPrompt(counts: PromptCounts, realTokens: number): void {
    let uncertainty = 0;
    for (const name of promptQuantityNames)
      uncertainty += (promptQuantities[name].spread * counts[name]) ** 2;
    if (uncertainty === 0) return;
    const expected = this.promptTokens(counts);
    const error = realTokens - expected;
    if (expected >= LONG_PROMPT_TOKENS) this.#learnDeviation(Math.abs(error) / expected);
    for (const name of promptQuantityNames) {
      const count = counts[name];
      if (count === 0) continue;
      const part = promptQuantities[name].spread ** 2 * count;
      this.#step(name, (PROMPT_GAIN * error * part) / uncertainty, (part * count) / uncertainty);
    }
  }

  /** Found like the percentile of the answers. */
  #learnDeviation(seen: number): void {
    const expected = this.#values.deviation;
    const step = seen > expected ? DEVIATION_QUANTILE : DEVIATION_QUANTILE - 1;
    this.#step('deviation', DEVIATION_STEP * step * expected, 1);
  }

  /** Of a prompt, what every server reads: no images, tools or schema, whose price differs most. */
  textTokens(counts: PromptCounts): number {
    const of = this.#values;
    const unsure =
      counts.images * of.images +
      counts.megapixels * of.megapixels +
      counts.tools * of.tools +
      counts.schema * of.schema;
    return this.promptTokens(counts) - unsure;
  }

  /** @param mostTokens what the request allowed */
  learnAnswer(tokens: number, mostTokens: number): void {
    const expected = this.#values.answer;
    if (tokens > expected) this.#step('answer', ANSWER_STEP * ANSWER_QUANTILE * expected, 1);
    else if (tokens < mostTokens) this.#step('answer', -ANSWER_STEP * (1 - ANSWER_QUANTILE) * expected, 1);
  }

  /** Takes the quantity a step towards the mean of what is seen. */
  learnMean(name: QuantityName, seen: number): void {
    this.#step(name, MEAN_GAIN * (seen - this.#values[name]), 1);
  }

  #step(name: QuantityName, step: number, evidence: number): void {
    this.#values[name] = stepped(name, this.#values[name], step);
    this.#evidence[name] += evidence;
  }

  learned(): Learned {
    return { values: { ...this.#values }, evidence: { ...this.#evidence } };
  }

  /**
   * Goes on from what the replicas have agreed on.
   * @param before what went into that; what was learned meanwhile stays
   */
  adopt(agreed: Agreement, before: Learned): void {
    for (const name of quantityNames) {
      const meanwhile = this.#values[name] - before.values[name];
      this.#values[name] = clamped(name, agreed[name][0] + meanwhile);
      this.#evidence[name] -= before.evidence[name];
    }
  }
}
