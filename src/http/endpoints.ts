import { type Refusal, refusal } from '../core/errors.ts';

/** What the gateway knows of one of OpenAI's operations. */
export interface Endpoint {
  readonly path: string;
  /** Fields without which the request makes no sense. */
  readonly required: readonly string[];
  /** Can it stream, and how does it ask for the usage then? */
  readonly streams: 'with_stream_options' | 'with_usage' | 'never';
  /** Fields that ask for what this gateway does not do. */
  readonly unsupported: readonly string[];
}

export const endpoints = [
  { path: '/v1/chat/completions', required: ['messages'], streams: 'with_stream_options', unsupported: [] },
  { path: '/v1/completions', required: ['prompt'], streams: 'with_stream_options', unsupported: [] },
  { path: '/v1/responses', required: ['input'], streams: 'with_usage', unsupported: ['background'] },
  { path: '/v1/embeddings', required: ['input'], streams: 'never', unsupported: [] },
  { path: '/v1/rerank', required: ['query', 'documents'], streams: 'never', unsupported: [] },
  { path: '/v1/score', required: [], streams: 'never', unsupported: [] },
] as const satisfies readonly Endpoint[];

type Kind = 'string' | 'boolean' | 'number' | 'integer' | 'object' | 'array' | 'string or array';

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

const STRING_CHARACTERS_MAX = 1_024;

/** The first fault of a request body, or undefined. Fields that are null count as absent, as OpenAI has it. */
export function checkBody(
  endpoint: Endpoint,
  body: Record<string, unknown>,
  caps: Caps,
): Refusal | undefined {
  for (const name of endpoint.required) {
    if (body[name] === undefined || body[name] === null) {
      return refusal('missing_parameter', `Missing required parameter: '${name}'.`, { param: name });
    }
  }
  for (const name of endpoint.unsupported) {
    if (body[name] !== undefined && body[name] !== null && body[name] !== false) {
      return refusal('unsupported_parameter', `'${name}' is not supported by this gateway.`, { param: name });
    }
  }
  for (const name in body) {
    const fault = checkField(name, body[name], caps);
    if (fault) return fault;
  }
  if (endpoint.streams === 'never' && body.stream === true) {
    return refusal('unsupported_parameter', 'This operation does not stream.', { param: 'stream' });
  }
  return endpoint.path === '/v1/chat/completions' ? checkMessages(body.messages as unknown[]) : undefined;
}

function checkField(name: string, value: unknown, caps: Caps): Refusal | undefined {
  if (value === null) return undefined;
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind && !matches[kind](value)) return invalid(name, `must be of type ${kind}`);
  const cap = Object.hasOwn(capped, name) ? capped[name] : undefined;
  if (cap && typeof value === 'number' && (value > caps[cap] || value < leastOf(cap))) {
    return invalid(name, `must be between ${leastOf(cap)} and ${caps[cap]}`);
  }
  if (name === 'stop' && Array.isArray(value) && value.length > caps.stop) {
    return invalid(name, `must have at most ${caps.stop} entries`);
  }
  if (name === 'model' && (value as string).length > STRING_CHARACTERS_MAX) {
    return invalid(name, `must have at most ${STRING_CHARACTERS_MAX} characters`);
  }
  return undefined;
}

/** llama.cpp takes -1 tokens for "until the context ends", which is what leaving it out means. */
function leastOf(cap: keyof Caps): number {
  return cap === 'max_tokens' ? -1 : 0;
}

function checkMessages(messages: readonly unknown[]): Refusal | undefined {
  if (messages.length === 0) return invalid('messages', 'must not be empty');
  for (const [index, message] of messages.entries()) {
    if (!matches.object(message)) return invalid(`messages[${index}]`, 'must be of type object');
    const { role, content } = message as Record<string, unknown>;
    if (typeof role !== 'string') return invalid(`messages[${index}].role`, 'must be of type string');
    const isContent = content === undefined || content === null || matches['string or array'](content);
    if (!isContent) return invalid(`messages[${index}].content`, 'must be of type string or array');
  }
  return undefined;
}

function invalid(param: string, problem: string): Refusal {
  return refusal('invalid_parameter', `'${param}' ${problem}.`, { param });
}
