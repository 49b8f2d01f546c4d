/** Answers of the admin API as its document shows them; a test holds each to its schema. */
import { noAccessRules } from '../../core/access.ts';
import { noAllowance, noLimits } from '../../core/limits.ts';
import { usualJobTerms } from '../../core/principal.ts';
import { usageExample } from '../../http/openapi/public-examples.ts';

const at = '2026-11-21T12:00:00.000Z';
const jobId = 'job_abcdefghijklmnopqrstuvwxyz';

function page(...data: readonly unknown[]) {
  return { object: 'list', data, next_cursor: null };
}

const key = {
  id: 'key_0123456789ab',
  tenant: 'acme',
  name: 'laptop',
  status: 'active',
  note: '',
  tags: ['team-search'],
  scopes: ['inference', 'jobs', 'usage'],
  ...noAccessRules,
  ...noAllowance,
  limits: { ...noLimits, requests_per_minute: 600 },
  policy: null,
  oversize_rule: null,
  origin: 'generated',
  created_at: at,
  expires_at: null,
  rotated_at: null,
  revision: 1,
  last_used_at: at,
};

const tenant = {
  name: 'acme',
  status: 'active',
  email: 'team@example.com',
  ...noAccessRules,
  require_jwt: false,
  ...noAllowance,
  policy: null,
  answer_metadata: false,
  show_attempts: false,
  priority: 'normal',
  ...usualJobTerms,
  created_at: at,
  revision: 1,
};

const signingKey = {
  id: 'sgn_0123456789ab',
  alg: 'hmac-sha256',
  public_key: null,
  note: 'batch server',
  created_at: at,
  expires_at: null,
};

const webhook = {
  tenant: 'acme',
  url: 'https://example.com/hooks',
  status: 'enabled',
  disabled_because: null,
  created_at: at,
  last_delivered_at: null,
  held_until: null,
  failures_in_a_row: 0,
  events_dropped: 0,
  secrets: [{ created_at: at, expires_at: null }],
};

const webhookEvent = {
  id: 'evt_0123456789',
  tenant: 'acme',
  job: jobId,
  type: 'job.completed',
  created_at: at,
  tries: 9,
  last_try_at: at,
  last_status: 500,
  last_cause: null,
  given_up_at: at,
};

const upstream = {
  name: 'gpu-1',
  url: 'http://10.0.0.11:8000',
  status: 'healthy',
  state: 'up',
  weight_factor: 1,
  in_flight: 3,
  reported_load: { running: 5, waiting: 0, seconds_ago: 0.4 },
  ejections: { errors: 0, slow: 0, unhealthy: 0, unreachable: 0, frozen: 0 },
  last_failure: null,
  models: ['sim-small'],
  max_in_flight: null,
  capacity: 128,
  labels: { rack: 'b2' },
};

const model = {
  name: 'sim-small',
  aliases: [],
  context_length: 32_768,
  choice: 'least_load',
  session_headers: [],
  sticky: 'none',
  fallbacks: [],
  versions: [
    {
      name: null,
      weight: 1,
      share: 1,
      upstreams: [{ name: 'gpu-1', weight: 1, upstream_model: 'sim-small', status: 'healthy' }],
    },
  ],
};

const job = {
  object: 'job',
  id: jobId,
  tenant: 'acme',
  key_id: 'key_0123456789ab',
  model: 'sim-small',
  line: 'sim-small',
  via: 'async',
  status: 'queued',
  priority: 6,
  estimated_tokens: 1_200,
  bytes: 4_800,
  created_at: at,
  expires_at: '2026-11-22T12:00:00.000Z',
  started_at: null,
  finished_at: null,
  attempts: 0,
  result_attempt: null,
  usage: null,
  error: null,
  cancelled_by: null,
  retry_of: null,
  position: 3,
  eta_seconds: 12,
};

const queue = {
  object: 'queue',
  drained_at: null,
  unfinished: 3,
  unfinished_bytes: 14_400,
  lines: [{ line: 'sim-small', waiting: 2, oldest_seconds: 4, handed: 1, parked_tenants: 0 }],
};

const call = {
  id: '1795000000000-0',
  ended_at: at,
  request_id: '5f0c3b1e-8f5e-4a53-9d0d-1d3c8e6a7b42',
  key: 'key_0123456789ab',
  endpoint: '/v1/chat/completions',
  model: 'sim-small',
  status: 200,
  input_tokens: 12,
  output_tokens: 6,
  cached_tokens: 0,
  images: 0,
  gpu_ms: 400,
  duration_ms: 450,
  cost_nano_usd: 21_000,
  cost_usd: 0.000021,
};

const admin = {
  id: 'adm_0123456789ab',
  name: 'grafana',
  role: 'viewer',
  status: 'active',
  created_at: at,
  expires_at: null,
  rotated_at: null,
  revision: 1,
  last_used_at: at,
};

const auditEntry = {
  id: '1795000000000-0',
  at,
  actor: 'adm_0123456789ab',
  actor_name: 'alice',
  role: 'operator',
  address: '10.0.0.5',
  request_id: '5f0c3b1e-8f5e-4a53-9d0d-1d3c8e6a7b42',
  action: 'key.update',
  outcome: 'done',
  subject: { key: 'key_0123456789ab', tenant: 'acme' },
  changes: { status: { before: 'active', after: 'disabled' } },
  counts: {},
};

export const adminExamples = {
  key,
  issuedKey: { ...key, key: 'slc_0123456789ab…' },
  keyList: page(key),
  keyImport: {
    object: 'key_import',
    total: 2,
    created: 1,
    unchanged: 0,
    failed: 1,
    failures: [{ line: 2, reason: 'tenant is missing.' }],
  },
  signingKey,
  issuedSigningKey: { ...signingKey, secret: 'sgnsec_…' },
  signingKeyList: { object: 'list', data: [signingKey] },
  tenant,
  tenantList: page(tenant),
  webhook,
  webhookEvent,
  webhookEventList: page(webhookEvent),
  upstream,
  upstreamList: { object: 'list', data: [upstream] },
  modelList: { object: 'list', data: [model] },
  policyList: {
    object: 'list',
    data: [{ name: 'short', defaults: {}, forced: {}, caps: { max_tokens: 256 }, removed: [] }],
  },
  job,
  jobList: page(job),
  queue,
  usageReport: {
    object: 'list',
    data: [{ date: '2026-11-21', model: 'sim-small', ...usageExample }],
    totals: usageExample,
    next_cursor: null,
  },
  callList: page(call),
  configReload: {
    object: 'config.reload',
    changes: [{ what: 'models.glm', change: 'changed', fields: ['timeouts'] }],
    needs_restart: [],
    warnings: [],
  },
  admin,
  issuedAdmin: { ...admin, key: 'sluice_admin_…' },
  adminList: page(admin),
  auditList: page(auditEntry),
  readiness: { status: 'ready', gateway: 'ok', redis: 'ok', queue: 'ok', upstreams: { 'gpu-1': 'healthy' } },
};
