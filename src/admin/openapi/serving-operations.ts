/** Webhooks, GPU servers, models, jobs, usage and the process. */
import { json } from '../../http/openapi/document.ts';
import { adminExamples as examples } from './examples.ts';
import { type AdminOperations, changed, found } from './operation.ts';

const webhooks: AdminOperations = {
  'GET /admin/v1/tenants/:name/webhook': {
    id: 'getWebhook',
    tag: 'Webhooks',
    summary: 'Look at the endpoint of a tenant',
    content: json('WebhookWithCounts', { ...examples.webhook, events: { waiting: 0, running: 0, dead: 1 } }),
    errors: found,
  },
  'PUT /admin/v1/tenants/:name/webhook': {
    id: 'putWebhook',
    tag: 'Webhooks',
    summary: 'Set or change the endpoint of a tenant',
    description: '201 with its secret where it is new.',
    example: { url: 'https://example.com/hooks', status: 'enabled' },
    content: json('Webhook', examples.webhook),
    also: { 201: 'IssuedWebhook' },
    errors: changed,
  },
  'POST /admin/v1/tenants/:name/webhook/rotate-secret': {
    id: 'rotateWebhookSecret',
    tag: 'Webhooks',
    summary: 'Give the endpoint a new secret',
    example: { overlap_seconds: 3_600 },
    content: json('IssuedWebhook', { ...examples.webhook, secret: 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX' }),
    errors: changed,
  },
  'DELETE /admin/v1/tenants/:name/webhook': {
    id: 'removeWebhook',
    tag: 'Webhooks',
    summary: 'Take the endpoint away',
    content: json('WebhookRemoved', { tenant: 'acme', deleted: true }),
    errors: found,
  },
  'GET /admin/v1/webhooks/dead': {
    id: 'listDeadEvents',
    tag: 'Webhooks',
    summary: 'List events that were given up',
    description: 'The newest first.',
    content: json('WebhookEventList', examples.webhookEventList),
  },
  'GET /admin/v1/webhooks/events/:id': {
    id: 'getWebhookEvent',
    tag: 'Webhooks',
    summary: 'Look at an event',
    content: json('WebhookEvent', examples.webhookEvent),
    errors: found,
  },
  'POST /admin/v1/webhooks/replay': {
    id: 'replayEvents',
    tag: 'Webhooks',
    summary: 'Send events once more',
    example: { events: ['evt_0123456789'] },
    content: json('ReplayList', { object: 'list', data: [{ id: 'evt_0123456789', outcome: 'replayed' }] }),
  },
};

const upstreams: AdminOperations = {
  'GET /admin/v1/upstreams': {
    id: 'listUpstreams',
    tag: 'Upstreams and models',
    summary: 'List the GPU servers as this gateway sees them',
    content: json('UpstreamList', examples.upstreamList),
  },
  'POST /admin/v1/upstreams/:name/drain': {
    id: 'drainUpstream',
    tag: 'Upstreams and models',
    summary: 'Take a GPU server out',
    description: 'What runs there ends; nothing new goes there, from any replica.',
    content: json('UpstreamChanged', { ...examples.upstream, state: 'draining', reach: 'all_replicas' }),
    errors: found,
  },
  'POST /admin/v1/upstreams/:name/resume': {
    id: 'resumeUpstream',
    tag: 'Upstreams and models',
    summary: 'Take a GPU server back in',
    content: json('UpstreamChanged', { ...examples.upstream, reach: 'all_replicas' }),
    errors: found,
  },
  'GET /admin/v1/models': {
    id: 'listModelReports',
    tag: 'Upstreams and models',
    summary: 'List the models that this gateway serves',
    content: json('ModelList', examples.modelList),
  },
  'GET /admin/v1/policies': {
    id: 'listPolicies',
    tag: 'Upstreams and models',
    summary: 'List the policies of the configuration',
    content: json('PolicyList', examples.policyList),
  },
};

const jobs: AdminOperations = {
  'GET /admin/v1/jobs': {
    id: 'listAllJobs',
    tag: 'Jobs',
    summary: 'List jobs',
    content: json('JobList', examples.jobList),
  },
  'GET /admin/v1/jobs/queue': {
    id: 'getQueue',
    tag: 'Jobs',
    summary: 'How many wait, and where',
    content: json('Queue', examples.queue),
  },
  'GET /admin/v1/jobs/:id': {
    id: 'getAnyJob',
    tag: 'Jobs',
    summary: 'Look at a job',
    content: json('Job', examples.job),
    errors: ['job_not_found', 'not_found'],
  },
  'POST /admin/v1/jobs/:id/cancel': {
    id: 'cancelAnyJob',
    tag: 'Jobs',
    summary: 'Cancel a job',
    description: 'Of one that is over nothing changes.',
    content: json('Job', { ...examples.job, status: 'cancelled', cancelled_by: 'operator' }),
    errors: ['job_not_found', 'not_found', 'conflict'],
  },
  'POST /admin/v1/jobs/:id/retry': {
    id: 'retryJob',
    tag: 'Jobs',
    summary: 'Try a failed job once more',
    description: 'A new job with the same request, charged to the same key by its limits of now.',
    content: json('Job', { ...examples.job, retry_of: 'job_bcdefghijklmnopqrstuvwxyz2' }),
    errors: [
      'job_not_found',
      'not_found',
      'conflict',
      'too_many_jobs',
      'insufficient_quota',
      'job_queue_full',
    ],
  },
  'POST /admin/v1/jobs/drain': {
    id: 'drainQueue',
    tag: 'Jobs',
    summary: 'Begin no more jobs',
    description: 'Jobs are still taken in.',
    content: json('Queue', { ...examples.queue, drained_at: '2026-11-21T12:00:00.000Z' }),
  },
  'POST /admin/v1/jobs/resume': {
    id: 'resumeQueue',
    tag: 'Jobs',
    summary: 'Go on with jobs',
    content: json('Queue', examples.queue),
  },
  'GET /admin/queues': {
    id: 'getQueueBoard',
    tag: 'Jobs',
    summary: "Board of what is in BullMQ's hands",
    content: { 'text/html': { schema: { type: 'string' } } },
  },
  'GET /admin/queues/*': {
    id: 'getQueueBoardPart',
    tag: 'Jobs',
    summary: 'Parts of that board',
    content: { '*/*': { schema: {} } },
    errors: found,
  },
};

const others: AdminOperations = {
  'GET /admin/v1/usage': {
    id: 'getUsageReport',
    tag: 'Usage',
    summary: 'Sums of a tenant',
    description:
      'By day, month, key or model; a group at the edge of two pages has a row on each, which add up.',
    content: json('UsageReport', examples.usageReport),
  },
  'GET /admin/v1/usage/calls': {
    id: 'listCalls',
    tag: 'Usage',
    summary: 'The latest calls of a tenant',
    description: 'The newest first; without prompts and answers.',
    content: json('CallList', examples.callList),
  },
  'POST /admin/v1/config/reload': {
    id: 'reloadConfig',
    tag: 'Installation',
    summary: 'Read the configuration anew',
    description: 'This gateway does; the others do so when they are asked. With any fault nothing changes.',
    content: json('ConfigReload', examples.configReload),
    errors: ['invalid_configuration'],
  },
  'POST /admin/v1/installation/accept': {
    id: 'acceptInstallation',
    tag: 'Installation',
    summary: 'Work with the data that Redis has now',
    description: 'After Redis came back empty or with older data.',
    content: json('Installation', { id: '5f0c3b1e8f5e4a53', accepted_from: [] }),
    errors: ['conflict'],
  },
  'GET /live': {
    id: 'getLive',
    tag: 'Service',
    summary: 'The process lives',
    content: json('Alive', { status: 'alive' }),
    isOpen: true,
  },
  'GET /ready': {
    id: 'getReady',
    tag: 'Service',
    summary: 'Whether a balancer should send requests here',
    description: '503 before the first contact with Redis and while draining, at no other time.',
    content: json('Readiness', examples.readiness),
    also: { 503: 'Readiness' },
    isOpen: true,
  },
  'GET /metrics': {
    id: 'getMetrics',
    tag: 'Service',
    summary: 'Metrics for Prometheus',
    content: { 'text/plain': { schema: { type: 'string' } } },
    isOpen: true,
  },
};

export const servingOperations: AdminOperations = { ...webhooks, ...upstreams, ...jobs, ...others };
