/**
 * What the gateway takes as the body of a call to a model, from the tables that `endpoints.ts` checks it by. Fields
 * that it does not look at, and all that are not named, go to the GPU server as they came.
 */
import { type Caps, capOf, type Kind, kindOf, leastOf } from '../../core/parameters.ts';
import { type Endpoint, MODEL_CHARACTERS_MAX } from '../endpoints.ts';
import type { Schema } from './schema.ts';

const textOrList = { type: ['string', 'array'] };

/** What a field is for, and for those that the gateway does not check what GPU servers take. */
const fields: Readonly<Record<string, readonly [description: string, schema?: Schema]>> = {
  model: ['Public name, alias, or name and version. May be left out where a policy or a default names one.'],
  messages: ['The conversation.'],
  prompt: ['One prompt, or a list of them.', textOrList],
  input: ['One input, or a list of them.', textOrList],
  query: ['What the documents are compared with.', { type: ['string', 'object'] }],
  documents: ['What is put in order.'],
  text_1: ['One side of the pairs.', textOrList],
  text_2: ['The other side.', textOrList],
  stream: ['Server-sent events instead of one answer.'],
  stream_options: ['`include_usage`: the last chunk has the usage.'],
  n: ['How many choices.'],
  best_of: ['How many are made of which the best are answered.'],
  max_tokens: ['Longest answer in tokens; -1: until the context ends.'],
  max_completion_tokens: ['The same under its newer name.'],
  max_output_tokens: ['Longest answer in tokens.'],
  temperature: ['Higher: more random.'],
  top_p: ['Share of the probability from which tokens are drawn.'],
  presence_penalty: ['Against what has been said.'],
  frequency_penalty: ['Against what has been said often.'],
  stop: ['Texts at which the answer ends.'],
  seed: ['For answers that repeat.'],
  logprobs: [
    'In chat a boolean, in completions how many alternatives.',
    { type: ['boolean', 'integer', 'null'] },
  ],
  top_logprobs: ['How many alternatives for each token.'],
  tools: ['What the model may call.'],
  tool_choice: ['Which of them it has to call.', { type: ['string', 'object', 'null'] }],
  response_format: ['JSON, or a schema of it.'],
  instructions: ['In front of the input.', { type: ['string', 'null'] }],
  background: ['Not built: use `Prefer: respond-async`.'],
  encoding_format: ['How vectors are written.', { enum: ['float', 'base64', null] }],
  dimensions: ['Length of the vectors.', { type: ['integer', 'null'] }],
  top_n: ['How many documents are answered.', { type: ['integer', 'null'] }],
  user: ['Goes to the GPU server as it is.', { type: ['string', 'null'] }],
};

const sampling = [
  'temperature',
  'top_p',
  'presence_penalty',
  'frequency_penalty',
  'stop',
  'seed',
  'n',
  'user',
];
const streaming = ['stream', 'stream_options'];

const fieldsByPath: Readonly<Record<Endpoint['path'], readonly string[]>> = {
  '/v1/chat/completions': [
    ...['model', 'messages', ...streaming, 'max_tokens', 'max_completion_tokens', ...sampling],
    ...['logprobs', 'top_logprobs', 'tools', 'tool_choice', 'response_format'],
  ],
  '/v1/completions': ['model', 'prompt', ...streaming, 'max_tokens', ...sampling, 'best_of', 'logprobs'],
  '/v1/responses': [
    ...[
      'model',
      'input',
      'instructions',
      'stream',
      'max_output_tokens',
      'temperature',
      'top_p',
      'top_logprobs',
    ],
    ...['tools', 'tool_choice', 'background', 'user'],
  ],
  '/v1/embeddings': ['model', 'input', 'encoding_format', 'dimensions', 'stream', 'user'],
  '/v1/rerank': ['model', 'query', 'documents', 'top_n', 'stream'],
  '/v1/score': ['model', 'text_1', 'text_2', 'stream'],
};

/** @param caps those that hold now */
export function requestBody(endpoint: Endpoint, caps: Caps): Schema {
  const names = fieldsByPath[endpoint.path] ?? [];
  return {
    type: 'object',
    description: 'Fields that are null count as absent. Those that are not named here go on as they came.',
    properties: Object.fromEntries(names.map((name) => [name, fieldSchema(endpoint, name, caps)])),
    ...(endpoint.required.length > 0 && { required: endpoint.required }),
  };
}

function fieldSchema(endpoint: Endpoint, name: string, caps: Caps): Schema {
  const [description = '', unchecked = {}] = fields[name] ?? [];
  const isRequired = endpoint.required.includes(name);
  const isRefused =
    endpoint.unsupported.includes(name) || (name === 'stream' && endpoint.streams === 'never');
  if (isRefused) return { description, enum: [false, null] };
  if (name === 'messages') return { description, ...messages };
  const kind = kindOf(name);
  const types = kind ? { type: [...typesOf(kind), ...(isRequired ? [] : ['null'])] } : unchecked;
  return { description, ...types, ...boundsOf(name, kind, caps) };
}

function typesOf(kind: Kind): readonly string[] {
  return kind === 'string or array' ? ['string', 'array'] : [kind];
}

function boundsOf(name: string, kind: Kind | undefined, caps: Caps): Schema {
  const cap = capOf(name);
  if (cap) return { minimum: leastOf(cap), maximum: caps[cap] };
  if (name === 'stop') return { maxItems: caps.stop };
  if (name === 'model') return { maxLength: MODEL_CHARACTERS_MAX };
  // Others than these are not the number that they seem to be.
  const safe = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
  return kind === 'integer' ? safe : {};
}

const messages: Schema = {
  type: 'array',
  minItems: 1,
  items: {
    type: 'object',
    properties: {
      role: { type: 'string', description: '`system`, `developer`, `user`, `assistant`, `tool`.' },
      content: {
        type: ['string', 'array', 'null'],
        description: 'Text, or parts: text, `image_url`, and so on.',
      },
    },
    required: ['role'],
  },
};

/** One that each endpoint takes. */
export const requestExamples: Readonly<Record<Endpoint['path'], unknown>> = {
  '/v1/chat/completions': {
    model: 'sim-small',
    messages: [{ role: 'user', content: 'What does a sluice do?' }],
    max_tokens: 64,
  },
  '/v1/completions': { model: 'sim-small', prompt: 'A sluice is', max_tokens: 64 },
  '/v1/responses': { model: 'sim-small', input: 'What does a sluice do?', max_output_tokens: 64 },
  '/v1/embeddings': { model: 'sim-small', input: ['A sluice', 'A weir'] },
  '/v1/rerank': { model: 'sim-small', query: 'water', documents: ['A sluice lets it through.', 'A hammer.'] },
  '/v1/score': { model: 'sim-small', text_1: 'water', text_2: ['A sluice', 'A hammer'] },
};
