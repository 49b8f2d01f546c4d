/** What each route of the public listener is for, what it takes besides its body, and how it answers. */

import type { ErrorName } from '../../core/errors.ts';
import type { Caps } from '../../core/parameters.ts';
import { endpoints } from '../endpoints.ts';
import { idempotencyKeyPattern } from '../idempotency-key.ts';
import { docsOperations } from './docs-operations.ts';
import { type Answer, type Content, json, type Operation, type Parameter } from './document.ts';
import { limitHeaders } from './headers.ts';
import { authenticated, jobOperations, keyed, type Operations, prefer } from './job-operations.ts';
import { answerExamples } from './public-examples.ts';
import { requestBody, requestExamples } from './request-bodies.ts';

export const publicTags = [
  { name: 'Inference', description: "OpenAI's operations, and those of vLLM for ranking." },
  {
    name: 'Jobs',
    description: 'Requests that run later. Their routes cost nothing and count towards no limit.',
  },
  { name: 'Models and usage', description: 'What a key may use, and what it has used.' },
  { name: 'Pass-through', description: 'Routes of the configuration that lead to plain model servers.' },
  { name: 'Service', description: 'Open to everybody.' },
];

const admitted: readonly ErrorName[] = [
  ...keyed,
  ...(['rate_limit_exceeded', 'insufficient_quota', 'too_many_jobs', 'job_queue_full'] as const),
  ...(['job_cancelled', 'job_failed', 'job_expired', 'request_oversized'] as const),
  ...(['upstream_error', 'upstream_unavailable', 'upstream_timeout', 'overloaded'] as const),
];

const inferred: readonly ErrorName[] = [
  ...(['missing_parameter', 'unsupported_parameter', 'remote_media_refused'] as const),
  ...(['context_length_exceeded', 'upstream_rejected', 'model_not_allowed', 'model_not_found'] as const),
  ...admitted,
  ...(['idempotency_running', 'idempotency_answer_gone', 'idempotency_mismatch'] as const),
  ...(['idempotency_full', 'policy_missing'] as const),
];

const ofCall = [
  ...authenticated,
  ...['openai-processing-ms', 'server-timing', 'x-sluice-attempts', 'x-sluice-job', 'preference-applied'],
  ...limitHeaders,
];
const ofAnswer = [...ofCall, 'x-accel-buffering', 'x-cache', 'age', 'idempotency-replayed'];

const priority: Parameter = {
  name: 'Priority',
  in: 'header',
  description: 'RFC 9218: `u=0` (most urgent) to `u=7`, among the jobs of the tenant.',
  schema: { type: 'string' },
  example: 'u=3',
};

const idempotencyKey: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'The request runs once; whoever repeats it with the same key and body gets the same answer.',
  schema: { type: 'string', pattern: idempotencyKeyPattern.source },
  example: '8e03978e-40d5-43dd-bc93-6894a57f9324',
};

const accepted: Answer = {
  description: 'The request has become a job.',
  headers: [...ofCall, 'location', 'retry-after', 'openai-poll-after-ms'],
  content: json('Job', answerExamples.queuedJob),
};

export function publicOperations(caps: Caps): Operations {
  const ofEndpoints = endpoints.map((endpoint) => [`POST ${endpoint.path}`, inference(endpoint, caps)]);
  return {
    ...Object.fromEntries(ofEndpoints),
    ...jobOperations,
    ...account,
    ...service,
    ...docsOperations(),
  };
}

const said: Readonly<
  Record<(typeof endpoints)[number]['path'], readonly [id: string, summary: string, answer: string]>
> = {
  '/v1/chat/completions': ['createChatCompletion', 'Answer a conversation', 'ChatCompletion'],
  '/v1/completions': ['createCompletion', 'Continue a text', 'Completion'],
  '/v1/responses': ['createResponse', 'Answer by the Responses API', 'Response'],
  '/v1/embeddings': ['createEmbedding', 'Turn texts into vectors', 'EmbeddingList'],
  '/v1/rerank': ['rerank', 'Put documents in order by a query', 'RerankResult'],
  '/v1/score': ['score', 'Compare pairs of texts', 'ScoreResult'],
};

function inference(endpoint: (typeof endpoints)[number], caps: Caps): Operation {
  const [id, summary, answer] = said[endpoint.path];
  const content: Record<string, Content> = { ...json(answer, answerExamples[endpoint.path]) };
  if (endpoint.streams !== 'never') content['text/event-stream'] = stream;
  return {
    id,
    tag: 'Inference',
    summary,
    parameters: [prefer, priority, idempotencyKey],
    body: {
      required: true,
      content: {
        'application/json': {
          schema: requestBody(endpoint, caps),
          example: requestExamples[endpoint.path],
        },
      },
    },
    answers: {
      200: { description: 'The answer of the model.', headers: ofAnswer, content },
      202: accepted,
    },
    errors: inferred,
    errorHeaders: ofAnswer,
  };
}

const stream: Content = {
  schema: {
    type: 'string',
    description:
      'With `stream: true`: server-sent events as the GPU server sends them. Comments keep a silent stream alive. A failure behind the first byte is an event `data: {"error": …}`, and then there is no `[DONE]`.',
  },
};

const account: Operations = {
  'GET /v1/models': {
    id: 'listModels',
    tag: 'Models and usage',
    summary: 'List the models that the key may use',
    answers: {
      200: {
        description: 'The models.',
        headers: authenticated,
        content: json('ModelList', answerExamples.modelList),
      },
    },
    errors: keyed,
    errorHeaders: authenticated,
  },
  'GET /v1/models/*': {
    id: 'getModel',
    tag: 'Models and usage',
    summary: 'Look at one model',
    parameters: [
      {
        name: 'model',
        in: 'path',
        required: true,
        description: 'Public name; it may hold slashes.',
        schema: { type: 'string' },
        example: 'sim-small',
      },
    ],
    answers: {
      200: {
        description: 'The model.',
        headers: authenticated,
        content: json('Model', answerExamples.model),
      },
    },
    errors: [...keyed, 'model_not_found'],
    errorHeaders: authenticated,
  },
  'GET /v1/usage': {
    id: 'getUsage',
    tag: 'Models and usage',
    summary: 'Limits, quotas and usage of the key',
    description: 'Costs nothing, and answers although a quota is spent.',
    answers: {
      200: {
        description: 'As it stands.',
        headers: authenticated,
        content: json('KeyUsage', answerExamples.usage),
      },
    },
    errors: keyed,
    errorHeaders: authenticated,
  },
};

const service: Operations = {
  'GET /': {
    id: 'getIndex',
    tag: 'Service',
    summary: 'What this is and where to go',
    isOpen: true,
    answers: {
      200: { description: 'It serves.', content: json('Index', answerExamples.index) },
      503: { description: 'It is draining, and still serves.', content: json('Index') },
    },
    errors: [],
  },
  'GET /health': {
    id: 'getHealth',
    tag: 'Service',
    summary: 'State of the gateway and of the models',
    description: '200 while the process lives, whatever is down behind it.',
    isOpen: true,
    answers: {
      200: { description: 'It serves.', content: json('Health', answerExamples.health) },
      503: { description: 'It is draining, and still serves.', content: json('Health') },
    },
    errors: [],
  },
};

/** What a route that leads to a plain server may answer beside what that says. */
export const passthroughErrors: readonly ErrorName[] = [...admitted, 'upstream_rejected'];
export const passthroughHeaders: readonly string[] = ofCall;
export const passthroughParameters: readonly Parameter[] = [prefer];
export const acceptedAnswer = accepted;
