/** What is learned of each model: where it begins, and how far it can ever get. */

interface Quantity {
  /** Before anything is known; for sizes like those of present models of the Llama and Qwen families. */
  readonly start: number;
  readonly min: number;
  readonly max: number;
  /** What a step may not exceed is a share of the value, but of no less than this. */
  readonly stepBase?: number;
}

interface PromptQuantity extends Quantity {
  /** How far a model usually is from the start. An error is blamed on what is least certain. */
  readonly spread: number;
}

/** Tokens for each unit of a prompt; the names are those of `PromptCounts`. */
export const promptQuantities = {
  letters: { start: 0.22, min: 0.05, max: 1.5, spread: 0.08 },
  cjk: { start: 0.8, min: 0.2, max: 4, spread: 0.3 },
  code: { start: 0.5, min: 0.1, max: 2, spread: 0.2 },
  other: { start: 0.5, min: 0.1, max: 4, spread: 0.3 },
  messages: { start: 4, min: 0, max: 50, spread: 3, stepBase: 4 },
  /** A chat template may bring a system prompt of its own. */
  template: { start: 8, min: 0, max: 4_000, spread: 30, stepBase: 40 },
  texts: { start: 1, min: 0, max: 10, spread: 1, stepBase: 1 },
  /** A character of JSON. Where the template has no place for it, it costs nothing. */
  tools: { start: 0.3, min: 0, max: 2, spread: 0.2, stepBase: 0.1 },
  schema: { start: 0.1, min: 0, max: 2, spread: 0.2, stepBase: 0.1 },
  images: { start: 4, min: 0, max: 20_000, spread: 100, stepBase: 100 },
  /** A token for 28 × 28 pixels. */
  megapixels: { start: 1_275.5, min: 0, max: 20_000, spread: 400, stepBase: 100 },
} as const satisfies Readonly<Record<string, PromptQuantity>>;

export const quantities = {
  ...promptQuantities,
  /** Tokens that an answer seldom exceeds. */
  answer: { start: 256, min: 1, max: 1_000_000 },
  /** Bytes of a stream, with its framing, for each token of the answer. */
  streamed_bytes: { start: 220, min: 1, max: 20_000 },
  /** The same for an answer in one piece. */
  whole_bytes: { start: 5, min: 0.5, max: 20_000 },
  /** Of one answer, all its time counted. */
  tokens_per_second: { start: 40, min: 0.1, max: 10_000 },
  /** How far estimates of long prompts are off, as a part of the estimate; few are further off. */
  deviation: { start: 0.5, min: 0.1, max: 0.8 },
  /** Of one call. */
  gpu_ms: { start: 1_000, min: 1, max: 3_600_000 },
} as const satisfies Readonly<Record<string, Quantity>>;

export type PromptQuantityName = keyof typeof promptQuantities;
export type QuantityName = keyof typeof quantities;
export const promptQuantityNames = Object.keys(promptQuantities) as readonly PromptQuantityName[];
export const quantityNames = Object.keys(quantities) as readonly QuantityName[];

/** What a single call may move a quantity by. */
const STEP_MAX = 0.03;

export function startValues(): Record<QuantityName, number> {
  return record((name) => quantities[name].start);
}

export function record<T>(entryOf: (name: QuantityName) => T): Record<QuantityName, T> {
  return Object.fromEntries(quantityNames.map((name) => [name, entryOf(name)])) as Record<QuantityName, T>;
}

export function clamped(name: QuantityName, value: number): number {
  const { min, max } = quantities[name];
  return Math.min(max, Math.max(min, value));
}

/** The value after a step in the direction of what was seen, as far as one call may go. */
export function stepped(name: QuantityName, value: number, step: number): number {
  const { stepBase = 0 }: Quantity = quantities[name];
  const stepMax = STEP_MAX * Math.max(value, stepBase);
  return clamped(name, value + Math.min(stepMax, Math.max(-stepMax, step)));
}
