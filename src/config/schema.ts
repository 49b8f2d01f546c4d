/**
 * The one schema of the configuration. The YAML file has this shape; environment variables lie over it
 * (environment.ts). Names are snake_case with their unit last and are used as they are in the code. A message
 * of a rule reads `must …`, and what stands behind its `; ` becomes the remedy of the fault.
 */
import { z } from 'zod';
import {
  credential,
  mediaHost,
  name,
  network,
  parseHttpUrl,
  tenantName,
  timeoutDifferences,
  timeouts,
  upstreamPath,
} from './fields.ts';
import { jobs, worker } from './jobs.ts';
import { jwt } from './jwt.ts';
import { policy } from './policies.ts';
import { model, upstream } from './pools.ts';
import { routePrices } from './prices.ts';
import { parseRedisAddress } from './redis-address.ts';
import { signatures } from './signatures.ts';
import { defaultTerms, tenantSeed } from './tenants.ts';
import { listenerTls } from './tls.ts';
import { webhooks } from './webhooks.ts';

const port = z.int().min(0).max(65_535);
/** The router would read `:`, `*` and brackets as patterns, and a client could not send the rest unescaped. */
const publicPath = z
  .string()
  .regex(
    /^\/[A-Za-z0-9._~/-]*$/,
    'must begin with / and hold only letters, digits and . _ ~ / -; write it as /predict, patterns are not supported',
  );

const origin = z
  .string()
  .refine(
    (text) => text === '*' || parseHttpUrl(text)?.origin === text,
    'must be * or an origin; write it as https://app.example.com, without path and last slash',
  );

const redisUrl = z.string().superRefine((text, context) => {
  const parsed = parseRedisAddress(text);
  if (!parsed.ok) context.addIssue({ code: 'custom', message: parsed.fault });
});

const route = z.strictObject({
  path: publicPath.describe('The public path, such as /predict.'),
  methods: z
    .array(z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']))
    .min(1)
    .default(['POST'])
    .describe('What it answers; all others get 405.'),
  upstream: name.describe('The server that answers it.'),
  upstream_path: upstreamPath.optional().describe('Its path there; default: the same.'),
  body_limit_bytes: z.int().min(1).max(1_000_000_000).optional().describe('Default: that of the listener.'),
  body_schema: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('JSON Schema that a body must fit; refused with 400 before the server sees it.'),
  prices: routePrices.optional(),
  timeouts: timeoutDifferences.optional().describe('Differences from the general time-outs.'),
});

export const configSchema = z.strictObject({
  listen: z
    .strictObject({
      host: z.string().min(1).default('0.0.0.0').describe('Address of the public listener.'),
      port: port.default(8080).describe('0: any free one.'),
      body_limit_bytes: z
        .int()
        .min(1024)
        .max(1_000_000_000)
        .default(20_000_000)
        .describe('Largest request body; a balancer in front must allow the same.'),
      header_timeout_ms: z.int().min(100).max(600_000).default(10_000).describe('To receive all headers.'),
      body_timeout_ms: z
        .int()
        .min(100)
        .max(3_600_000)
        .default(60_000)
        .describe('To receive headers and body; 20 MB at 3 Mbit/s take 53 s.'),
      keep_alive_timeout_ms: z
        .int()
        .min(1_000)
        .max(3_600_000)
        .default(75_000)
        .describe(
          'Idle connections; longer than the balancer keeps them (nginx: 60 s), or it meets a closed one.',
        ),
      trusted_proxies: z.array(network).default([]).describe('Addresses whose X-Forwarded-For is believed.'),
      docs: z
        .boolean()
        .default(false)
        .describe(
          'Its document at /openapi.json and as a page at /docs, for everybody. The admin listener always has both.',
        ),
      tls: listenerTls.optional().describe('HTTPS in place of HTTP; for those without a balancer in front.'),
    })
    .prefault({}),
  admin: z
    .strictObject({
      host: z
        .string()
        .min(1)
        .default('127.0.0.1')
        .describe('Address of the admin listener; it never has to be on the internet.'),
      port: port.default(8081).describe('0: any free one.'),
      token: credential
        .min(16, 'must be at least 16 characters; make one with: openssl rand -hex 32')
        .optional()
        .describe('Bearer for /admin; without it the admin API is off. Set from SLUICE_ADMIN_TOKEN.'),
      audit_kept: z
        .int()
        .min(100)
        .max(1_000_000)
        .default(10_000)
        .describe(
          'Entries of the audit trail that are kept; the oldest go first. Each takes some 500 bytes.',
        ),
    })
    .prefault({}),
  redis: z
    .strictObject({
      url: redisUrl
        .default('redis://127.0.0.1:6379')
        .describe('A password comes with REDIS_URL or REDIS_URL_FILE, never in the file.'),
      tls_ca_file: z
        .string()
        .min(1)
        .optional()
        .describe(
          'PEM file of the authority that signed the certificates of Redis; default: the public ones.',
        ),
      sentinel_username: credential
        .optional()
        .describe('User at the Sentinels, where they want one. That of the address is for the data.'),
      sentinel_password: credential
        .optional()
        .describe('Password at the Sentinels. Set from REDIS_SENTINEL_PASSWORD.'),
      prefix: z
        .string()
        .regex(/^[A-Za-z0-9_-]{1,32}$/, 'must be 1 to 32 letters, digits, _ or -; write it as sluice')
        .default('sluice')
        .describe('Begins every key, so that two installations can share a server.'),
      command_timeout_ms: z
        .int()
        .min(10)
        .max(10_000)
        .default(250)
        .describe('No request waits longer than this for Redis.'),
    })
    .prefault({}),
  queue: z
    .strictObject({
      redis_url: redisUrl
        .optional()
        .describe(
          'Where jobs and their payloads live, best apart from the limits; default: redis.url. A password comes with QUEUE_REDIS_URL.',
        ),
    })
    .prefault({}),
  secret: z
    .string()
    .min(32, 'must be at least 32 characters; make one with: openssl rand -hex 32')
    .describe(
      'Pepper of the keys. The same on every replica; kept with the backups. Set from SLUICE_SECRET.',
    ),
  keys: z
    .strictObject({
      cache_seconds: z
        .number()
        .min(0.1)
        .max(300)
        .default(10)
        .describe(
          'How long a record serves from memory: the most that a revocation takes if its message is lost.',
        ),
      grace_seconds: z
        .number()
        .min(0)
        .max(86_400)
        .default(600)
        .describe('How long a known key is served while Redis is away.'),
      cached_max: z.int().min(100).max(10_000_000).default(100_000).describe('Records in memory.'),
      failed_lookups_per_minute: z
        .int()
        .min(0)
        .max(1_000_000)
        .default(20)
        .describe('Unknown keys that one address may have looked up, on each replica; 0: any number.'),
      environment: z
        .array(
          z.strictObject({
            tenant: tenantName,
            key: z
              .string()
              .regex(
                /^[\x21-\x7e]{8,256}$/,
                'must be 8 to 256 visible ASCII characters; make one with: openssl rand -hex 24',
              ),
          }),
        )
        .default([])
        .describe('Keys that hold while the environment names them. Set from SLUICE_KEYS.'),
    })
    .prefault({}),
  auth: z.strictObject({ jwt: jwt.optional(), signatures }).prefault({}).describe('Ways in beside keys.'),
  defaults: z
    .strictObject({
      key: defaultTerms.describe('For a new key, an imported one, and those of SLUICE_KEYS.'),
      tenant: defaultTerms.describe(
        'For a tenant when it is made, and one that has only keys of SLUICE_KEYS.',
      ),
    })
    .prefault({})
    .describe(
      'What those get that leave out limits, quotas, models or policy. Later changes touch new ones only.',
    ),
  tenants: z
    .array(tenantSeed)
    .max(10_000)
    .default([])
    .describe('Seeds: a tenant that is not in Redis yet is made once; from then on Redis rules.'),
  policies: z
    .array(policy)
    .max(1_000)
    .default([])
    .describe('What requests may ask for, beyond limits; tenants and keys name one.'),
  admission: z
    .strictObject({
      lease_seconds: z
        .number()
        .min(5)
        .max(120)
        .default(15)
        .describe('How long after the last sign of life a dead replica holds its concurrency slots.'),
      heartbeat_seconds: z
        .number()
        .min(0.1)
        .max(60)
        .default(3)
        .describe('How often a replica says that its calls are alive.'),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      tenants_max: z
        .int()
        .min(0)
        .max(1_000)
        .default(100)
        .describe(
          'Tenants that have metrics of their own, those that come first; the others are one: other.',
        ),
    })
    .prefault({})
    .describe('What /metrics of the admin listeners tells.'),
  waiting: z
    .strictObject({
      calls_max: z
        .int()
        .min(0)
        .max(100_000)
        .default(100)
        .describe('Calls of one model that may wait while all its servers are at max_in_flight.'),
      seconds_max: z
        .number()
        .min(0.1)
        .max(600)
        .default(10)
        .describe('How long each may wait; after that it gets 503 with a Retry-After.'),
    })
    .prefault({}),
  usage: z
    .strictObject({
      calls_kept: z
        .int()
        .min(0)
        .max(100_000)
        .default(1_000)
        .describe('The last calls of each tenant that Redis keeps, without prompts and answers; 0: none.'),
    })
    .prefault({}),
  response_cache: z
    .strictObject({
      answer_bytes_max: z
        .int()
        .min(1)
        .max(16_000_000)
        .default(1_000_000)
        .describe('Larger answers are not kept.'),
      tenant_bytes_max: z
        .int()
        .min(1)
        .max(100_000_000_000)
        .default(64_000_000)
        .describe('Kept answers of one tenant together, in the memory of Redis; those that end first go.'),
    })
    .prefault({})
    .describe('Answers kept for equal requests, of models that have `cache`.'),
  idempotency: z
    .strictObject({
      seconds: z
        .int()
        .min(60)
        .max(604_800)
        .default(86_400)
        .describe('How long an Idempotency-Key is remembered, with its answer; tell your callers.'),
      answer_bytes_max: z
        .int()
        .min(1)
        .max(16_000_000)
        .default(1_000_000)
        .describe('Larger answers are not kept; who repeats such a request is told so.'),
      tenant_bytes_max: z
        .int()
        .min(1)
        .max(100_000_000_000)
        .default(64_000_000)
        .describe(
          'Answers of one tenant together, in the memory of Redis; when it is full, new keys get 429.',
        ),
      tenant_keys_max: z
        .int()
        .min(1)
        .max(10_000_000)
        .default(10_000)
        .describe('Keys of one tenant that are remembered; when there are so many, new ones get 429.'),
    })
    .prefault({})
    .describe('Requests with an Idempotency-Key, each of which runs once.'),
  jobs,
  worker,
  webhooks,
  timeouts: timeouts.prefault({}),
  upstreams: z.array(upstream).default([]).describe('The GPU servers.'),
  models: z.array(model).default([]).describe('What clients may ask for.'),
  default_model: name.optional().describe('Serves requests that name no model.'),
  routes: z.array(route).default([]).describe('Pass-through routes to plain servers.'),
  caps: z
    .strictObject({
      n: z.int().min(1).max(1024).default(16).describe('Choices per request.'),
      max_tokens: z.int().min(1).max(100_000_000).default(1_000_000).describe('Tokens of an answer.'),
      stop: z.int().min(0).max(1024).default(16).describe('Stop sequences.'),
      logprobs: z.int().min(0).max(1_000).default(20).describe('Alternatives per token.'),
    })
    .prefault({})
    .describe('Largest values that a request may ask of any model; GPU servers take any and suffer.'),
  media: z
    .strictObject({
      allowed_hosts: z
        .array(mediaHost)
        .default([])
        .describe(
          'Hosts from which images named by address are fetched; all others are refused. Without a port: 80 and 443. A name must lead to public addresses only; an inside host is listed by its IP address.',
        ),
      fetch_timeout_ms: z
        .int()
        .min(100)
        .max(60_000)
        .default(5_000)
        .describe('All images of a request together, redirects included.'),
      fetch_limit_bytes: z
        .int()
        .min(1024)
        .max(100_000_000)
        .default(10_000_000)
        .describe('All images of a request together; each is held in memory.'),
      fetch_count_max: z.int().min(1).max(100).default(10).describe('Different addresses in one request.'),
    })
    .prefault({}),
  cors: z
    .strictObject({
      origins: z
        .array(origin)
        .default([])
        .describe('Web pages that may call; * for all. Empty: CORS is off.'),
      max_age_seconds: z
        .int()
        .min(0)
        .max(86_400)
        .default(600)
        .describe('How long a browser may keep the answer to its preflight.'),
    })
    .prefault({}),
  drain: z
    .strictObject({
      limit_seconds: z
        .number()
        .min(0)
        .max(3_600)
        .default(30)
        .describe('How long running calls may go on after SIGTERM before they are ended.'),
      quiet_seconds: z
        .number()
        .min(0)
        .max(60)
        .default(1)
        .describe('How long idle connections must have been silent before the process leaves.'),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .default('info')
        .describe('The least that is written.'),
      file: z.string().min(1).optional().describe('Default: standard output. Opened anew on SIGHUP.'),
    })
    .prefault({}),
});

export type Config = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
export type UpstreamConfig = Config['upstreams'][number];
export type ModelConfig = Config['models'][number];
export type RouteConfig = Config['routes'][number];
export type TimeoutsConfig = Config['timeouts'];
