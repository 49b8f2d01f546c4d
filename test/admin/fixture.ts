/** The admin app over real HTTP, with the real key store on a Redis of its own. */

import { type AdminDependencies, createAdminApp } from '../../src/admin/app.ts';
import { reportOf } from '../../src/admin/upstreams.ts';
import { Installation } from '../../src/admission/installation.ts';
import { createKeyStore } from '../../src/admission/keys/key-store.ts';
import { createSigningKeys } from '../../src/admission/signatures/administration.ts';
import { createUsageReader } from '../../src/admission/usage/usage-reader.ts';
import { type ConfigInput, configSchema } from '../../src/config/schema.ts';
import { refusal } from '../../src/core/errors.ts';
import { connectRedis, type RedisConnection } from '../../src/redis/connection.ts';
import { connectQueue } from '../../src/redis/queue-connection.ts';
import { createAdmins } from '../../src/roles/admins.ts';
import { createWebhookAdministration } from '../../src/roles/webhooks.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

export const TOKEN = 'admin-token-of-the-tests';
export const SECRET = 'a-secret-of-the-tests-with-32-characters';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed; undefined if it is not JSON. Tests look into it freely. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape of each answer is what the tests check.
  readonly body: any;
}

interface Sent {
  /** Default: the right token. */
  readonly authorization?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

export interface AdminFixture {
  readonly url: string;
  readonly redis: TestRedis;
  readonly logLines: () => readonly Record<string, unknown>[];
  /** Every route of the listener, such as `GET /admin/v1/keys`, without those that say 405. */
  readonly routes: readonly string[];
  /** The data, as another gateway of the cluster sees them. */
  readonly admins: ReturnType<typeof createAdmins>;
  readonly connection: RedisConnection;
  call(method: string, path: string, sent?: Sent): Promise<Answer>;
  stop(): Promise<void>;
}

/** Patient by default: a busy machine must not look like a lost Redis. */
const COMMAND_TIMEOUT_MS = 5_000;

export async function startAdmin(
  changes: Partial<AdminDependencies> = {},
  command_timeout_ms = COMMAND_TIMEOUT_MS,
  defaults: ConfigInput['defaults'] = {},
  more: Pick<ConfigInput, 'policies' | 'tenants' | 'webhooks'> = {},
): Promise<AdminFixture> {
  const redis = await startRedis();
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('debug', {}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const config = configSchema.parse({
    secret: SECRET,
    redis: { url: redis.url, command_timeout_ms },
    defaults,
    ...more,
  });
  const connection = connectRedis(config.redis, log);
  const queue = connectQueue(config, log);
  await Promise.all([connection.reached(), queue.commands.reached()]);
  const keys = createKeyStore({ redis: connection, config, now: Date.now });
  const upstream = workingUpstream();
  const admins = createAdmins({ redis: connection, config, isTrusted: () => true, log });
  const app = createAdminApp({
    ...admins,
    token: TOKEN,
    keys,
    signingKeys: createSigningKeys(connection, config, Date.now),
    webhooks: createWebhookAdministration(config, queue, keys),
    usage: createUsageReader({ redis: connection, now: Date.now }),
    installation: new Installation({ redis: connection, log }),
    jobs: withoutQueue(),
    bullQueues: [async () => ({ ok: false, failure: { kind: 'unavailable', cause: 'no queue here' } })],
    log,
    version: '0.0.0',
    publicDocument: async () => '{}',
    readiness: () => ({
      ready: true,
      detail: { gateway: 'ok', redis: 'ok', queue: 'ok', upstreams: { sim: 'healthy' } },
    }),
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'sluice_up 1\n' }),
    upstreams: () => [reportOf(upstream, ['sim-small'], performance.now())],
    drains: { set: async () => undefined },
    models: () => [],
    policies: () => config.policies,
    reloadConfig: async () => ({ ok: true, changes: [], needsRestart: [], warnings: [] }),
    ...changes,
  });
  const routes: string[] = [];
  app.addHook('onRoute', ({ method, url, config }) => {
    if (config?.answers405) return;
    for (const one of [method].flat()) if (one !== 'HEAD') routes.push(`${one} ${url}`);
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });

  return {
    url,
    redis,
    logLines: () => lines,
    routes,
    admins,
    connection,
    call: (method, path, sent = {}) => call(url + path, method, sent),
    async stop() {
      await app.close();
      await admins.trail.stop();
      connection.close();
      queue.close();
      await redis.stop();
    },
  };
}

/** As while the Redis of jobs is away. */
function withoutQueue(): AdminDependencies['jobs'] {
  const away = async () => ({ ok: false, refusal: refusal('store_unavailable', 'No queue here.') }) as const;
  return { list: away, show: away, cancel: away, retry: away, queue: away, drain: away, resume: away };
}

function workingUpstream(): Upstream {
  const address = { name: 'sim', url: 'http://127.0.0.1:9', apiKey: undefined };
  const upstream = new Upstream({ ...address, discover: false, gpus: 1 });
  upstream.serverHealth.probed('ok', 0);
  for (const startedAtMs of [0, 0]) upstream.load.begin(startedAtMs);
  return upstream;
}

async function call(url: string, method: string, sent: Sent): Promise<Answer> {
  const headers = new Headers(sent.headers);
  const authorization = 'authorization' in sent ? sent.authorization : `Bearer ${TOKEN}`;
  if (authorization !== undefined) headers.set('authorization', authorization);
  const bodyless = method === 'GET' || method === 'HEAD';
  if ('json' in sent && !bodyless) headers.set('content-type', 'application/json');
  const body = 'json' in sent ? JSON.stringify(sent.json) : (sent.body ?? null);
  const response = await fetch(url, { method, headers, body: bodyless ? null : body });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
