/** An estimate as it lies in store with its job, for settlement and learning. Plain JSON, which knows no Infinity. */
import type { Estimate } from '../estimate/estimate.ts';
import { PromptCounts } from '../estimate/prompt-counts.ts';

const countNames = [
  ...(['letters', 'cjk', 'code', 'other', 'examined', 'template', 'messages', 'texts', 'images'] as const),
  ...(['megapixels', 'tools', 'schema', 'exact', 'prompts'] as const),
] satisfies readonly (keyof PromptCounts)[];

type Counts = Readonly<Record<(typeof countNames)[number], number>>;

interface StoredEstimate {
  readonly input_tokens: number;
  readonly output_tokens: number;
  /** Of each image; null: unknown. */
  readonly pixels: readonly (number | null)[];
  readonly counts: Counts;
  readonly measurable: boolean;
  readonly choices: number;
  /** null: the request does not say. */
  readonly answer_max: number | null;
  readonly extra_bytes: number;
}

export function storedEstimate({ inputTokens, outputTokens, images, basis }: Estimate): StoredEstimate {
  const { counts, answer } = basis;
  return {
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    pixels: images.map(({ pixels }) => pixels ?? null),
    counts: Object.fromEntries(countNames.map((name) => [name, counts[name]])) as Counts,
    measurable: counts.measurable,
    choices: answer.choices,
    answer_max: Number.isFinite(answer.answerMax) ? answer.answerMax : null,
    extra_bytes: answer.extraBytes,
  };
}

/** Undefined for what is no estimate; another release may have written it. */
export function readEstimate(stored: unknown): Estimate | undefined {
  const { input_tokens, output_tokens, pixels, counts, measurable, ...answer } = Object(stored);
  const { choices, answer_max, extra_bytes } = answer;
  const numbers = [input_tokens, output_tokens, choices, answer_max ?? 0, extra_bytes];
  const named = Object(counts);
  const counted = countNames.map((name): unknown => named[name]);
  if (![...numbers, ...counted].every(isAmount) || typeof measurable !== 'boolean') return undefined;
  if (!Array.isArray(pixels) || !pixels.every((one) => one === null || isAmount(one))) return undefined;
  const images = pixels.map((one: number | null) => ({ pixels: one ?? undefined }));
  const basis = Object.assign(new PromptCounts(), Object.fromEntries(countNames.map((n) => [n, named[n]])), {
    measurable,
    found: images.length > 0 ? images : undefined,
  });
  return {
    inputTokens: input_tokens,
    outputTokens: output_tokens,
    images,
    basis: {
      counts: basis,
      answer: { choices, answerMax: answer_max ?? Number.POSITIVE_INFINITY, extraBytes: extra_bytes },
    },
  };
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
