/**
 * The one schema of the configuration. The YAML file has this shape; environment variables lie over it
 * (environment.ts). Names are snake_case with their unit last and are used as they are in the code.
 */
import { z } from 'zod';
import { tenantNamePattern } from '../core/principal.ts';

const port = z.int().min(0).max(65_535);
const name = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[\x21-\x7e]+$/, 'must be visible ASCII without spaces');
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' });
const path = z.string().regex(/^\/[\x21-\x7e]*$/, 'must begin with / and hold no spaces');
const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable');

const timeouts = z
  .strictObject({
    connect_ms: z
      .int()
      .min(10)
      .max(60_000)
      .default(2_000)
      .describe('To open a connection; a GPU server in the same network answers in one.'),
    first_byte_ms: z
      .int()
      .min(10)
      .max(3_600_000)
      .default(120_000)
      .describe(
        'From sending the request to the first byte of the answer body; a long prompt takes its time.',
      ),
    idle_ms: z
      .int()
      .min(10)
      .max(3_600_000)
      .default(60_000)
      .describe('Between two pieces of an answer that has begun.'),
    total_ms: z
      .int()
      .min(10)
      .max(86_400_000)
      .default(600_000)
      .describe('The whole call; OpenAI clients give up after ten minutes themselves.'),
  })
  .describe('Time-outs of a call to the GPU server.');

const upstream = z.strictObject({
  name: name.describe('Stands in logs and metrics.'),
  url: httpUrl.describe('Base address without /v1, such as http://10.0.0.5:8000.'),
  api_key_env: variable
    .optional()
    .describe('Environment variable that holds the key that this server wants.'),
  api_key: z.string().optional().describe('Set from UPSTREAM_API_KEY; in a file use api_key_env.'),
  discover: z
    .boolean()
    .default(false)
    .describe('Serve every model that it lists at /v1/models under its own name.'),
});

const model = z.strictObject({
  name: name.describe('The public name.'),
  aliases: z
    .array(z.union([name, z.literal('*')]))
    .default([])
    .describe('Other names that clients may send; * stands for any name that no other model has.'),
  upstreams: z.array(name).min(1).describe('The servers of its pool, by name.'),
  upstream_model: z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .describe('What the server calls it, such as a long path; default: the public name.'),
  context_length: z
    .int()
    .min(1)
    .max(100_000_000)
    .optional()
    .describe('Tokens of prompt and answer together; shown in /v1/models.'),
  timeouts: timeouts.partial().optional().describe('Differences from the general time-outs.'),
});

const route = z.strictObject({
  path: path.describe('The public path, such as /predict.'),
  methods: z
    .array(z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']))
    .min(1)
    .default(['POST']),
  upstream: name.describe('The server that answers it.'),
  upstream_path: path.optional().describe('Its path there; default: the same.'),
  body_limit_bytes: z.int().min(1).max(1_000_000_000).optional().describe('Default: that of the listener.'),
  body_schema: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('JSON Schema that a body must fit; refused with 400 before the server sees it.'),
  timeouts: timeouts.partial().optional(),
});

export const configSchema = z.strictObject({
  listen: z
    .strictObject({
      host: z.string().min(1).default('0.0.0.0'),
      port: port.default(8080),
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
      trusted_proxies: z
        .array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]))
        .default([])
        .describe('Addresses whose X-Forwarded-For is believed.'),
    })
    .prefault({}),
  admin: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1'),
      port: port.default(8081),
      token: z
        .string()
        .min(16, 'must be at least 16 characters')
        .optional()
        .describe('Bearer for /admin; without it the admin API is off. Set from SLUICE_ADMIN_TOKEN.'),
    })
    .prefault({}),
  redis: z
    .strictObject({
      url: z
        .string()
        .regex(
          /^rediss?(\+sentinel|\+cluster)?:\/\/./,
          'must be redis://, rediss://, redis+sentinel:// or redis+cluster://',
        )
        .default('redis://127.0.0.1:6379'),
      prefix: z
        .string()
        .regex(/^[A-Za-z0-9_-]{1,32}$/, 'must be 1 to 32 letters, digits, _ or -')
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
      environment: z
        .array(
          z.strictObject({
            tenant: z.string().regex(tenantNamePattern, 'must be 1 to 64 letters, digits or ._@+-'),
            key: z.string().regex(/^[\x21-\x7e]{8,256}$/, 'must be 8 to 256 visible ASCII characters'),
          }),
        )
        .default([])
        .describe('Keys that hold while the environment names them. Set from SLUICE_KEYS.'),
    })
    .prefault({}),
  timeouts: timeouts.prefault({}),
  upstreams: z.array(upstream).default([]).describe('The GPU servers.'),
  models: z.array(model).default([]).describe('What clients may ask for.'),
  default_model: name.optional().describe('Serves requests that name no model.'),
  routes: z.array(route).default([]).describe('Pass-through routes to plain servers.'),
  caps: z
    .strictObject({
      n: z.int().min(1).max(1024).default(16).describe('Choices per request.'),
      max_tokens: z.int().min(1).max(100_000_000).default(1_000_000),
      stop: z.int().min(0).max(1024).default(16).describe('Stop sequences.'),
      logprobs: z.int().min(0).max(1_000).default(20).describe('Alternatives per token.'),
    })
    .prefault({})
    .describe('Largest values that a request may ask of any model; GPU servers take any and suffer.'),
  media: z
    .strictObject({
      allowed_hosts: z
        .array(z.string().regex(/^[A-Za-z0-9.-]+(:\d+)?$/, 'must be a host name, with a port where needed'))
        .default([])
        .describe('Hosts from which images named by address are fetched; all others are refused.'),
      fetch_timeout_ms: z.int().min(100).max(60_000).default(5_000),
      fetch_limit_bytes: z.int().min(1024).max(100_000_000).default(10_000_000),
      fetch_count_max: z.int().min(1).max(100).default(10).describe('Addresses in one request.'),
    })
    .prefault({}),
  cors: z
    .strictObject({
      origins: z
        .array(z.union([z.literal('*'), z.url({ protocol: /^https?$/ })]))
        .default([])
        .describe('Web pages that may call; * for all. Empty: CORS is off.'),
      max_age_seconds: z.int().min(0).max(86_400).default(600),
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
      level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
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
