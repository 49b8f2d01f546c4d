/** `stream_options`, and the usage that they ask for, for the two routes that stream in chunks. */

import { type Inquiry, usageOf } from './inquiry.ts';
import { isFields } from './json.ts';

export interface StreamUsage {
  /** `,"usage":…` for a chunk after so many tokens, where every chunk carries it; else empty. */
  running(completionTokens: number): string;
  /** The members of the extra last chunk behind `choices`; undefined: it is not sent. */
  last(completionTokens: number): string | undefined;
}

export function streamUsage({ fields, promptTokens, cachedTokens }: Inquiry): StreamUsage {
  const options = isFields(fields.stream_options) ? fields.stream_options : {};
  const included = options.include_usage === true;
  const continuous = included && options.continuous_usage_stats === true;
  return {
    running: (completionTokens) => (continuous ? `,"usage":${usageOf(promptTokens, completionTokens)}` : ''),
    last: (completionTokens) =>
      included ? `,"usage":${usageOf(promptTokens, completionTokens, cachedTokens)}` : undefined,
  };
}

const CHOICES_MAX = 16_384;

/** `n`, at least 1. */
export function choiceCount(inquiry: Inquiry): number {
  const { n } = inquiry.fields;
  return typeof n === 'number' && n > 1 ? Math.min(Math.floor(n), CHOICES_MAX) : 1;
}
