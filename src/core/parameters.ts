/** Parameters of requests, as far as the gateway knows them: their types and their largest values. */

export type Kind = 'string' | 'boolean' | 'number' | 'integer' | 'object' | 'array' | 'string or array';

/** Types of the fields that the gateway decides on, and of those that servers answer with 500 to when wrong. */
const kinds: Readonly<Record<string, Kind>> = {
  model: 'string',
  messages: 'array',
  documents: 'array',
  tools: 'array',
  stream: 'boolean',
  stream_options: 'object',
  n: 'integer',
  best_of: 'integer',
  max_tokens: 'integer',
  max_completion_tokens: 'integer',
  max_output_tokens: 'integer',
  top_logprobs: 'integer',
  seed: 'integer',
  stop: 'string or array',
  temperature: 'number',
  top_p: 'number',
  presence_penalty: 'number',
  frequency_penalty: 'number',
  response_format: 'object',
};

const matches: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isSafeInteger(value),
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  array: (value) => Array.isArray(value),
  'string or array': (value) => typeof value === 'string' || Array.isArray(value),
};

/** Undefined: any type. */
export function kindOf(parameter: string): Kind | undefined {
  return Object.hasOwn(kinds, parameter) ? kinds[parameter] : undefined;
}

/** All whose type or largest value is known. */
export function knownParameters(): string[] {
  return [...new Set([...Object.keys(kinds), ...Object.keys(capped)])];
}

export function isOfKind(kind: Kind, value: unknown): boolean {
  return matches[kind](value);
}

/** Largest values that a request may ask of any model. */
export interface Caps {
  readonly n: number;
  readonly max_tokens: number;
  readonly stop: number;
  readonly logprobs: number;
}

/** Which of the caps binds which field. `logprobs` is a number in completions and a boolean in chat. */
const capped: Readonly<Record<string, keyof Caps>> = {
  n: 'n',
  best_of: 'n',
  max_tokens: 'max_tokens',
  max_completion_tokens: 'max_tokens',
  max_output_tokens: 'max_tokens',
  logprobs: 'logprobs',
  top_logprobs: 'logprobs',
};

/** Undefined: none binds its value. The one on `stop` binds the length of a list. */
export function capOf(parameter: string): keyof Caps | undefined {
  return Object.hasOwn(capped, parameter) ? capped[parameter] : undefined;
}

/** llama.cpp takes -1 tokens for "until the context ends", which is what leaving it out means. */
export function leastOf(cap: keyof Caps): number {
  return cap === 'max_tokens' ? -1 : 0;
}

/**
 * What a request is about, in whichever operation. These are no parameters: who changed one of them would not
 * change how the request is answered, but what was asked.
 */
const substance: ReadonlySet<string> = new Set([
  ...['model', 'messages', 'prompt', 'suffix', 'input', 'instructions', 'query', 'queries', 'documents'],
  ...['items', 'text_1', 'text_2', 'data_1', 'data_2', 'conversation', 'previous_response_id'],
  ...['tools', 'functions', 'stream', 'stream_options', 'background'],
]);

export function isSubstance(field: string): boolean {
  return substance.has(field);
}
