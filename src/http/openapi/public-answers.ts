/** What the public listener answers, held to the types that it is written by where there are such. */
import type { KeyUsage } from '../../admission/usage/usage-reader.ts';
import { jobStatuses } from '../../core/job.ts';
import { type Limits, quotaDimensions, quotaPeriods } from '../../core/limits.ts';
import type { JobObject } from '../jobs/job-object.ts';
import {
  amount,
  constant,
  count,
  flag,
  list,
  mapping,
  nullable,
  oneOf,
  record,
  ref,
  type Schema,
  text,
  time,
} from './schema.ts';

const unlimited = 'Null: not limited.';

/** Shared with the admin API. */
export const limitsSchema: Schema = record<Limits>({
  requests_per_minute: nullable(count(), unlimited),
  tokens_per_minute: nullable(count(), 'Prompt and answer together. Null: not limited.'),
  max_concurrent: nullable(count(), 'Calls at the same time.'),
  burst_requests: nullable(count(), 'How many may come at once; null: those of a minute.'),
  burst_tokens: nullable(count(), 'Likewise for tokens.'),
});

export const usageFigures = {
  calls: count('Calls that were admitted.'),
  errors: count('Of these, calls that ended with an error.'),
  lost: count('Of these, calls whose end nobody has told: their replica died.'),
  input_tokens: count(),
  output_tokens: count(),
  cached_tokens: count('Part of the input that the server had in its prefix cache.'),
  images: count(),
  gpu_seconds: amount(),
  cost_usd: amount('Rounded to the micro-dollar.'),
  cost_nano_usd: count('Exact.'),
  duration_seconds: amount(),
};

const amountUse = record<NonNullable<KeyUsage['quotas']['key'][number]['requests']>>({
  limit: amount(),
  used: amount(),
  remaining: amount(),
});

const quotaUse = record<KeyUsage['quotas']['key'][number]>({
  period: oneOf(quotaPeriods),
  resets_at: nullable(time(), 'When it begins anew; null: never.'),
  ...(Object.fromEntries(quotaDimensions.map((name) => [name, nullable(amountUse)])) as Record<
    (typeof quotaDimensions)[number],
    Schema
  >),
});

type Day = KeyUsage['last_seven_days'][number];

const day = record<Day>({
  date: text(undefined, { format: 'date' }),
  ...usageFigures,
  mean_seconds: amount('Of the calls whose end is known.'),
  by_model: list(record<Day['by_model'][number]>({ model: text(), ...usageFigures })),
});

const keyUsage = record<KeyUsage>({
  object: constant('usage'),
  user_id: text('Id of the key.'),
  user_name: text('Its name.'),
  rate_limit: nullable(count(), 'Requests a minute: the tighter one of key and tenant.'),
  used_quota: nullable(count(), 'Requests, by the longest period that limits them; null: no such quota.'),
  total_quota: nullable(count()),
  remaining_quota: nullable(count()),
  created_at: time(),
  expires_at: nullable(time(), 'Null: never.'),
  recent_stats: record<KeyUsage['recent_stats']>(
    { total_calls: count(), total_time: amount('Seconds.'), avg_time: amount('Seconds.') },
    { description: 'Of the last seven days.' },
  ),
  tenant: text(),
  limits: record<KeyUsage['limits']>({ key: ref('Limits'), tenant: ref('Limits') }),
  quotas: record<KeyUsage['quotas']>({ key: list(quotaUse), tenant: list(quotaUse) }),
  last_seven_days: list(day, 'Oldest first; the last one is today, UTC.'),
});

const seconds = (description: string) => count(description);

const job = record<JobObject>(
  {
    id: text('`job_` and 26 characters.'),
    object: constant('job'),
    status: oneOf(jobStatuses),
    model: text(),
    created_at: seconds('Seconds since 1970, as all times of a job.'),
    started_at: nullable(seconds('When it was last begun.')),
    completed_at: nullable(seconds('When it ended, however it did.')),
    expires_at: seconds('Unless it has ended by then.'),
    position: nullable(count('1 is the next; 0: a worker has it. Null: it is over, or nobody knows.')),
    eta_seconds: nullable(count('Until it is done. Null: it is over, or nobody knows.')),
    attempts: count('How often it was begun.'),
    usage: nullable(
      record<NonNullable<JobObject['usage']>>({
        input_tokens: count(),
        input_tokens_details: record<{ cached_tokens: number }>({ cached_tokens: count() }),
        output_tokens: count(),
        total_tokens: count(),
        images: count(),
        gpu_seconds: amount(),
        cost_usd: amount(),
      }),
      'What it has cost.',
    ),
    error: nullable(record<{ code: string; message: string }>({ code: text(), message: text() })),
    events_url: text(),
    result_url: nullable(text(), 'Null: it has no answer, or not yet.'),
    result: { description: 'The answer of the GPU server, where it is JSON and is asked for; else null.' },
  },
  {
    // Right after its acceptance Redis may be away, and then there is no more to say of it.
    required: ['id', 'object', 'status'],
  },
);

const jobList = record<Readonly<Record<'object' | 'data' | 'first_id' | 'last_id' | 'has_more', unknown>>>({
  object: constant('list'),
  data: list(ref('Job')),
  first_id: nullable(text()),
  last_id: nullable(text(), '`after` of the next page.'),
  has_more: flag(),
});

const tokenUsage: Schema = {
  type: ['object', 'null'],
  description: "In OpenAI's names of the operation.",
  properties: {
    prompt_tokens: count(),
    completion_tokens: count(),
    input_tokens: count(),
    output_tokens: count(),
    total_tokens: count(),
  },
};

/** Of a GPU server: what clients rely on; it may say more. */
function relayed(
  object: string,
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[],
): Schema {
  return {
    type: 'object',
    description: 'What the GPU server says, but for the name of the model, which is that of the request.',
    properties: {
      object: constant(object),
      model: text(),
      usage: tokenUsage,
      ...properties,
      metadata: ref('AnswerMetadata'),
    },
    required,
  };
}

const choices = list({
  type: 'object',
  properties: {
    index: count(),
    message: { type: 'object', properties: { role: text(), content: { type: ['string', 'null'] } } },
    text: text(),
    finish_reason: {
      type: ['string', 'null'],
      description: '`stop`, `length`, `tool_calls`, `content_filter`.',
    },
  },
});

const identified = { id: text(), created: count('Seconds since 1970.') };

const answerMetadata: Schema = {
  type: 'object',
  description: 'Last member of JSON answers, for tenants that ask for it; never in `/v1/responses`.',
  properties: {
    processing_time: text(),
    gateway_version: text(),
    user_id: text('Id of the key.'),
    remaining_quota: nullable(count()),
  },
};

const model = record<Readonly<Record<'id' | 'object' | 'created' | 'owned_by' | 'max_model_len', unknown>>>(
  {
    id: text(),
    object: constant('model'),
    created: count(),
    owned_by: text(),
    max_model_len: count('Tokens of prompt and answer together, where that is known.'),
  },
  { optional: ['max_model_len'] },
);

const state = oneOf(['healthy', 'unhealthy', 'unreachable']);

export const publicSchemas: Readonly<Record<string, Schema>> = {
  ChatCompletion: relayed('chat.completion', { ...identified, choices }, ['choices']),
  Completion: relayed('text_completion', { ...identified, choices }, ['choices']),
  Response: relayed('response', { id: text(), status: text(), output: list({ type: 'object' }) }, ['output']),
  EmbeddingList: relayed('list', { data: list({ type: 'object' }) }, ['data']),
  RerankResult: { type: 'object', properties: { model: text(), results: list({ type: 'object' }) } },
  ScoreResult: { type: 'object', properties: { model: text(), data: list({ type: 'object' }) } },
  AnswerMetadata: answerMetadata,
  Model: model,
  ModelList: record<{ object: 'list'; data: unknown }>({
    object: constant('list'),
    data: list(ref('Model')),
  }),
  Limits: limitsSchema,
  KeyUsage: keyUsage,
  Job: job,
  JobList: jobList,
  JobDeleted: record<{ id: string; object: string; deleted: boolean }>({
    id: text(),
    object: constant('job.deleted'),
    deleted: constant(true),
  }),
  Index: record<{ status: string; service: string; version: string; endpoints: unknown }>({
    status: oneOf(['healthy', 'draining']),
    service: constant('sluice'),
    version: text(),
    endpoints: mapping(text(), 'Paths by what they are for.'),
  }),
  Health: record<
    Readonly<Record<'status' | 'timestamp' | 'gateway' | 'redis' | 'models' | 'routes', unknown>>
  >(
    {
      status: oneOf(['ok', 'draining']),
      timestamp: time(),
      gateway: oneOf(['ok', 'draining']),
      redis: oneOf(['ok', 'degraded']),
      models: mapping(state, 'By public name; each is as well as the best of its servers.'),
      routes: mapping(state, 'Pass-through routes, by path.'),
    },
    { optional: ['routes'] },
  ),
};
