/** What every route is given. */
import type { Answer } from './answer.ts';
import type { Fault } from './faults.ts';
import { type Generation, generate, maxTokensOf, stopOf, type Wish } from './generation.ts';
import type { Fields } from './json.ts';
import type { Settings } from './options.ts';
import type { ProseOf } from './prose.ts';

export interface Inquiry {
  readonly fields: Fields;
  readonly model: string;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly fault: Fault;
}

/** What the routes share, one per simulator. */
export interface Engine {
  readonly settings: Settings;
  readonly prose: ProseOf;
  /** A new id; 32 hexadecimal digits behind the prefix. */
  id(prefix: string): string;
  /** Unix time in seconds. */
  created(): number;
}

export type Route = (inquiry: Inquiry, engine: Engine) => Answer;

/** Says what the model says. `wish` holds what differs between routes. */
export function say(
  { fields, promptTokens, fault }: Inquiry,
  { settings, prose }: Engine,
  wish: Pick<Wish, 'text' | 'tool'>,
): Generation {
  const natural = fault.tokens ?? settings.tokens;
  return generate(
    {
      length: fields.ignore_eos === true ? Number.POSITIVE_INFINITY : natural,
      limit: maxTokensOf(fields) ?? settings.contextLength - promptTokens,
      stop: stopOf(fields),
      text: fault.text ?? wish.text,
      tool: wish.tool,
    },
    prose,
  );
}

/** vLLM's usage object, as JSON. */
export function usageOf(promptTokens: number, completionTokens: number, cachedTokens?: number): string {
  const total = promptTokens + completionTokens;
  const details = cachedTokens === undefined ? 'null' : `{"cached_tokens":${cachedTokens}}`;
  return `{"prompt_tokens":${promptTokens},"total_tokens":${total},"completion_tokens":${completionTokens},"prompt_tokens_details":${details}}`;
}
