/** Tokens of one call as the GPU server counted them. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Part of the input that came from the server's prefix cache. */
  readonly cachedTokens: number;
}

/**
 * Reads OpenAI's `usage` object in both of its forms (chat: prompt/completion, responses: input/output).
 * Anything that is not a count becomes 0; undefined if there is no count at all.
 */
export function readUsage(value: unknown): Usage | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const usage = value as Record<string, unknown>;
  const input = usage.prompt_tokens ?? usage.input_tokens;
  const output = usage.completion_tokens ?? usage.output_tokens;
  const total = usage.total_tokens;
  if (!isCount(input) && !isCount(output) && !isCount(total)) return undefined;
  const details = (usage.prompt_tokens_details ?? usage.input_tokens_details) as Record<
    string,
    unknown
  > | null;
  return {
    inputTokens: count(input ?? total),
    outputTokens: count(output),
    cachedTokens: count(details?.cached_tokens),
  };
}

/** Servers that send several counts of one call mean the largest: they count upwards. */
export function largerUsage(one: Usage | undefined, other: Usage | undefined): Usage | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return {
    inputTokens: Math.max(one.inputTokens, other.inputTokens),
    outputTokens: Math.max(one.outputTokens, other.outputTokens),
    cachedTokens: Math.max(one.cachedTokens, other.cachedTokens),
  };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function count(value: unknown): number {
  return isCount(value) ? value : 0;
}
