/** Answers as the documents show them; a test holds each to its schema. */
import { noLimits } from '../../core/limits.ts';

const id = 'job_abcdefghijklmnopqrstuvwxyz';
const path = `/v1/jobs/${id}`;

const queuedJob = {
  id,
  object: 'job',
  status: 'queued',
  model: 'sim-small',
  created_at: 1_795_000_000,
  started_at: null,
  completed_at: null,
  expires_at: 1_795_086_400,
  position: 3,
  eta_seconds: 12,
  attempts: 0,
  usage: null,
  error: null,
  events_url: `${path}/events`,
  result_url: null,
  result: null,
};

const chat = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_795_000_000,
  model: 'sim-small',
  choices: [
    { index: 0, message: { role: 'assistant', content: 'It lets water through.' }, finish_reason: 'stop' },
  ],
  usage: { prompt_tokens: 12, completion_tokens: 6, total_tokens: 18 },
};

const figures = {
  calls: 2,
  errors: 0,
  lost: 0,
  input_tokens: 24,
  output_tokens: 12,
  cached_tokens: 0,
  images: 0,
  gpu_seconds: 0.8,
  cost_usd: 0.000042,
  cost_nano_usd: 42_000,
  duration_seconds: 0.9,
};

const model = {
  id: 'sim-small',
  object: 'model',
  created: 1_795_000_000,
  owned_by: 'sluice',
  max_model_len: 32_768,
};

export const usageExample = figures;

export const answerExamples = {
  queuedJob,
  completedJob: {
    ...queuedJob,
    status: 'completed',
    started_at: 1_795_000_010,
    completed_at: 1_795_000_012,
    position: null,
    eta_seconds: null,
    attempts: 1,
    usage: {
      input_tokens: 12,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 6,
      total_tokens: 18,
      images: 0,
      gpu_seconds: 0.4,
      cost_usd: 0.000021,
    },
    result_url: `${path}/result`,
    result: chat,
  },
  jobList: { object: 'list', data: [queuedJob], first_id: id, last_id: id, has_more: false },
  jobDeleted: { id, object: 'job.deleted', deleted: true },
  model,
  modelList: { object: 'list', data: [model] },
  index: {
    status: 'healthy',
    service: 'sluice',
    version: '0.1.0',
    endpoints: { chat: '/v1/chat/completions', health: '/health', usage: '/v1/usage' },
  },
  health: {
    status: 'ok',
    timestamp: '2026-11-21T12:00:00.000Z',
    gateway: 'ok',
    redis: 'ok',
    models: { 'sim-small': 'healthy' },
  },
  usage: {
    object: 'usage',
    user_id: 'key_0123456789ab',
    user_name: 'laptop',
    rate_limit: 600,
    used_quota: 2,
    total_quota: 1_000,
    remaining_quota: 998,
    created_at: '2026-11-01T12:00:00.000Z',
    expires_at: null,
    recent_stats: { total_calls: 2, total_time: 0.9, avg_time: 0.45 },
    tenant: 'acme',
    limits: { key: { ...noLimits, requests_per_minute: 600 }, tenant: noLimits },
    quotas: {
      key: [
        {
          period: 'day',
          resets_at: '2026-11-22T00:00:00.000Z',
          requests: { limit: 1_000, used: 2, remaining: 998 },
          tokens: null,
          images: null,
          gpu_seconds: null,
          cost_usd: null,
        },
      ],
      tenant: [],
    },
    last_seven_days: [
      { date: '2026-11-21', ...figures, mean_seconds: 0.45, by_model: [{ model: 'sim-small', ...figures }] },
    ],
  },
  '/v1/chat/completions': chat,
  '/v1/completions': {
    id: 'cmpl-1',
    object: 'text_completion',
    created: 1_795_000_000,
    model: 'sim-small',
    choices: [{ index: 0, text: ' a gate for water.', finish_reason: 'stop' }],
    usage: { prompt_tokens: 4, completion_tokens: 6, total_tokens: 10 },
  },
  '/v1/responses': {
    id: 'resp_1',
    object: 'response',
    status: 'completed',
    model: 'sim-small',
    output: [
      {
        type: 'message',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'It lets water through.' }],
      },
    ],
    usage: { input_tokens: 12, output_tokens: 6, total_tokens: 18 },
  },
  '/v1/embeddings': {
    object: 'list',
    model: 'sim-small',
    data: [
      { object: 'embedding', index: 0, embedding: [0.1, 0.2] },
      { object: 'embedding', index: 1, embedding: [0.3, 0.1] },
    ],
    usage: { prompt_tokens: 4, total_tokens: 4 },
  },
  '/v1/rerank': { model: 'sim-small', results: [{ index: 0, relevance_score: 0.93 }] },
  '/v1/score': { model: 'sim-small', data: [{ index: 0, object: 'score', score: 0.81 }] },
} as const;
