import { type Refusal, refusal } from '../core/errors.ts';
import { type Caps, capOf, isOfKind, kindOf, leastOf } from '../core/parameters.ts';

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

export const MODEL_CHARACTERS_MAX = 1_024;

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

/** One field by itself. */
export function checkField(name: string, value: unknown, caps: Caps): Refusal | undefined {
  if (value === null) return undefined;
  const kind = kindOf(name);
  if (kind && !isOfKind(kind, value)) return invalid(name, `must be of type ${kind}`);
  const cap = capOf(name);
  if (cap && typeof value === 'number' && (value > caps[cap] || value < leastOf(cap))) {
    return invalid(name, `must be between ${leastOf(cap)} and ${caps[cap]}`);
  }
  if (name === 'stop' && Array.isArray(value) && value.length > caps.stop) {
    return invalid(name, `must have at most ${caps.stop} entries`);
  }
  if (name === 'model' && (value as string).length > MODEL_CHARACTERS_MAX) {
    return invalid(name, `must have at most ${MODEL_CHARACTERS_MAX} characters`);
  }
  return undefined;
}

function checkMessages(messages: readonly unknown[]): Refusal | undefined {
  if (messages.length === 0) return invalid('messages', 'must not be empty');
  for (const [index, message] of messages.entries()) {
    if (!isOfKind('object', message)) return invalid(`messages[${index}]`, 'must be of type object');
    const { role, content } = message as Record<string, unknown>;
    if (typeof role !== 'string') return invalid(`messages[${index}].role`, 'must be of type string');
    const isContent = content === undefined || content === null || isOfKind('string or array', content);
    if (!isContent) return invalid(`messages[${index}].content`, 'must be of type string or array');
  }
  return undefined;
}

function invalid(param: string, problem: string): Refusal {
  return refusal('invalid_parameter', `'${param}' ${problem}.`, { param });
}
