import type { EndedCall, ReportRow } from '../../admission/usage/usage-reader.ts';
import { jobStatuses } from '../../core/job.ts';
import type { JobUsage } from '../../core/job-answer.ts';
import type { Policy } from '../../core/policy.ts';
import { usageFigures } from '../../http/openapi/public-answers.ts';
import {
  amount,
  constant,
  count,
  list,
  mapping,
  nullable,
  oneOf,
  record,
  ref,
  type Schema,
  text,
  time,
} from '../../http/openapi/schema.ts';
import type { EndpointView, EventView } from '../../jobs/webhooks/views.ts';
import type { JobReport, QueueReport } from '../jobs.ts';
import type { ModelReport } from '../model-report.ts';
import type { Readiness } from '../probes.ts';
import type { UpstreamReport } from '../upstreams.ts';

import { pageOf, wholeList } from './lists.ts';

const health = oneOf(['healthy', 'unhealthy', 'unreachable']);

const endpointFields = {
  tenant: text(),
  url: nullable(text()),
  status: oneOf(['enabled', 'disabled']),
  disabled_because: nullable(text()),
  created_at: time(),
  last_delivered_at: nullable(time()),
  held_until: nullable(time(), 'Nothing is sent before.'),
  failures_in_a_row: count(),
  events_dropped: count('Events for which the outbox had no room.'),
  secrets: list(
    record<EndpointView['secrets'][number]>({ created_at: time(), expires_at: nullable(time()) }),
    'The secrets themselves are shown once.',
  ),
} as const satisfies { readonly [Name in keyof EndpointView]: Schema };

const eventCounts = record<{ waiting: number; running: number; dead: number }>({
  waiting: count(),
  running: count(),
  dead: count('Given up.'),
});

const webhookEvent = record<EventView>({
  id: text(),
  tenant: text(),
  job: text(),
  type: text('Such as `job.completed`.'),
  created_at: time(),
  tries: count(),
  last_try_at: nullable(time()),
  last_status: nullable(count()),
  last_cause: nullable(text()),
  given_up_at: nullable(time(), 'Null: it still waits.'),
});

const reasons = ['errors', 'slow', 'unhealthy', 'unreachable', 'frozen'] as const;

const upstreamFields = {
  name: text(),
  url: text('Without credentials.'),
  status: health,
  state: oneOf(['up', 'ejected', 'trial', 'down', 'draining'], 'Whether it may have calls.'),
  weight_factor: amount('Part of its weight; less than 1 on trial and after its return.'),
  in_flight: count('Calls of this gateway.'),
  reported_load: nullable(
    record<NonNullable<UpstreamReport['reported_load']>>({
      running: amount(),
      waiting: amount(),
      seconds_ago: amount(),
    }),
    'Calls of anyone, by its own metrics; null: it has said nothing lately.',
  ),
  ejections: record<UpstreamReport['ejections']>(
    Object.fromEntries(reasons.map((reason) => [reason, count()])) as Record<
      (typeof reasons)[number],
      Schema
    >,
  ),
  last_failure: nullable(
    record<NonNullable<UpstreamReport['last_failure']>>({
      kind: oneOf(['status', 'reset', 'connect', 'timeout']),
      seconds_ago: amount(),
    }),
  ),
  models: list(text(), 'Public names.'),
  max_in_flight: nullable(count(), 'Null: any number.'),
  capacity: nullable(amount(), 'Null: nobody has said.'),
  labels: mapping(text()),
} as const satisfies { readonly [Name in keyof UpstreamReport]: Schema };

type VersionReport = ModelReport['versions'][number];

const model = record<ModelReport>({
  name: text(),
  aliases: list(text()),
  context_length: nullable(count()),
  choice: text(),
  session_headers: list(text()),
  sticky: text(),
  fallbacks: list(text()),
  versions: list(
    record<VersionReport>({
      name: nullable(text(), 'Null: the model has no versions.'),
      weight: amount(),
      share: { type: 'number', minimum: 0, maximum: 1, description: 'Of the calls that name no version.' },
      upstreams: list(
        record<VersionReport['upstreams'][number]>({
          name: text(),
          weight: amount(),
          upstream_model: text(),
          status: health,
        }),
      ),
    }),
  ),
});

const anything: Schema = { type: 'object' };

const policy = record<Policy>(
  {
    name: text(),
    model: text('Public name of the model that every request gets.'),
    default_model: text('Of requests that name none.'),
    defaults: anything,
    forced: anything,
    caps: mapping({ type: 'number' }),
    removed: list(text()),
    system_text: text(),
    suffix_text: text(),
    media_hosts: list(text()),
  },
  { optional: ['model', 'default_model', 'system_text', 'suffix_text', 'media_hosts'] },
);

const jobUsage = record<JobUsage>({
  requests: count(),
  input_tokens: count(),
  cached_tokens: count(),
  output_tokens: count(),
  images: count(),
  gpu_ms: count(),
  cost_nano: count(),
  status: count(),
  duration_ms: count(),
  route: text(),
  request_id: text(),
});

const job = record<JobReport>({
  object: constant('job'),
  id: text(),
  tenant: text(),
  key_id: text(),
  model: text(),
  line: text('Where it waits: jobs of one line are served by the same GPU servers.'),
  via: oneOf(['held', 'async'], 'Whether its caller waits on the connection.'),
  status: oneOf(jobStatuses),
  priority: count('0 to 9; the higher goes first.'),
  estimated_tokens: count(),
  bytes: count('Of the request.'),
  created_at: nullable(time()),
  expires_at: nullable(time()),
  started_at: nullable(time()),
  finished_at: nullable(time()),
  attempts: count(),
  result_attempt: nullable(count()),
  usage: nullable(jobUsage),
  error: nullable(record<{ code: string; message: string }>({ code: text(), message: text() })),
  cancelled_by: nullable(text()),
  retry_of: nullable(text()),
  position: nullable(count()),
  eta_seconds: nullable(count()),
});

const queue = record<QueueReport>({
  object: constant('queue'),
  drained_at: nullable(time(), 'Null: it goes on.'),
  unfinished: count(),
  unfinished_bytes: count(),
  lines: list(
    record<QueueReport['lines'][number]>({
      line: text(),
      waiting: count(),
      oldest_seconds: nullable(count()),
      handed: count("In the workers' hands."),
      parked_tenants: count('Tenants at their limit.'),
    }),
  ),
});

const usageRow = record<ReportRow>(
  { date: text(), month: text(), key: text(), model: text(), ...usageFigures },
  { optional: ['date', 'month', 'key', 'model'] },
);

const call = record<EndedCall>({
  id: text(),
  ended_at: time(),
  request_id: text(),
  key: text(),
  endpoint: text(),
  model: text(),
  status: count(),
  input_tokens: count(),
  output_tokens: count(),
  cached_tokens: count(),
  images: count(),
  gpu_ms: count(),
  duration_ms: count(),
  cost_nano_usd: count(),
  cost_usd: amount(),
});

const configChange = record<{ what: string; change: string; fields: unknown }>({
  what: text('Such as `models.glm`.'),
  change: oneOf(['added', 'removed', 'changed']),
  fields: list(text()),
});

type Detail = Readiness['detail'];

const readiness = record<Detail & { status: string }>({
  status: oneOf(['ready', 'not_ready']),
  gateway: oneOf(['starting', 'ok', 'draining']),
  redis: oneOf(['connecting', 'ok', 'degraded']),
  queue: oneOf(['connecting', 'ok', 'degraded'], 'That of jobs.'),
  upstreams: mapping(health),
});

export const servingSchemas: Readonly<Record<string, Schema>> = {
  Webhook: record<EndpointView>(endpointFields),
  WebhookWithCounts: record<EndpointView & { events: unknown }>({ ...endpointFields, events: eventCounts }),
  IssuedWebhook: record<EndpointView & { secret: string }>({
    ...endpointFields,
    secret: text('`whsec_…`. Nobody can show it again.'),
  }),
  WebhookRemoved: record<{ tenant: string; deleted: boolean }>({ tenant: text(), deleted: constant(true) }),
  WebhookEvent: webhookEvent,
  WebhookEventList: pageOf(ref('WebhookEvent')),
  ReplayList: wholeList(
    record<{ id: string; outcome: string }>({
      id: text(),
      outcome: oneOf(['absent', 'replayed', 'running', 'no_endpoint']),
    }),
  ),
  Upstream: record<UpstreamReport>(upstreamFields),
  UpstreamChanged: record<UpstreamReport & { reach: string }>({
    ...upstreamFields,
    reach: oneOf(
      ['all_replicas', 'this_replica'],
      'Who has heard of it; the others do as soon as Redis is back.',
    ),
  }),
  UpstreamList: wholeList(ref('Upstream')),
  Model: model,
  ModelList: wholeList(ref('Model')),
  Policy: policy,
  PolicyList: wholeList(ref('Policy')),
  Job: job,
  JobList: pageOf(ref('Job')),
  Queue: queue,
  UsageReport: pageOf(usageRow, { totals: record(usageFigures, { description: 'Of these rows.' }) }),
  CallList: pageOf(call),
  ConfigReload: record<Readonly<Record<'object' | 'changes' | 'needs_restart' | 'warnings', unknown>>>({
    object: constant('config.reload'),
    changes: list(configChange),
    needs_restart: list(text(), 'Sections that differ and are read at the start only.'),
    warnings: list(text()),
  }),
  Installation: record<{ id: string; accepted_from: unknown }>({
    id: text(),
    accepted_from: list(text(), 'Ids of the installations that it takes the place of.'),
  }),
  Alive: record<{ status: string }>({ status: constant('alive') }),
  Readiness: readiness,
};
