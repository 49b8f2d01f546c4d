/** A gateway, a worker, a collector and a GPU server that answers as the prompt says, all with secrets to lose. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { answerAsAsked } from '../../http/answers.ts';
import { bearer, chat, type Reply, send } from '../../http/client.ts';
import { startWorker } from '../../http/jobs/worker-process.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { type Handler, startUpstream } from '../../support/upstream.ts';
import { type Collector, startCollector } from '../../telemetry/collector.ts';
import { ANSWER, COLLECTOR_KEY, PROMPT, plantedHeaders, QUERY, UPSTREAM_KEY } from './planted.ts';

export const BODY_LIMIT_BYTES = 200_000;
export const OVERSIZE_BYTES = 50_000;
export const SLOW_MS = 600;

export interface SecretGround {
  readonly redis: TestRedis;
  readonly gateway: TestGateway;
  readonly collector: Collector;
  readonly workerUrl: string;
  workerLog(): Promise<string>;
  /** Reads it anew with these differences. */
  reload(changes: object): Promise<{ status: number; body: Record<string, unknown> }>;
  /** A chat with everything planted. @param said what the GPU server is to do, see `answerAsTold` */
  ask(key: string, said?: string, fields?: object, headers?: Record<string, string>): Promise<Reply>;
  stop(): Promise<void>;
}

/** `fail with N`, `slow`, `hang`, `large`, or an answer. */
const answerAsTold: Handler = (request, response, body) => {
  const status = Number(/fail with (\d+)/.exec(body)?.[1] ?? 0);
  if (status > 0) {
    response.writeHead(status, { 'x-secret': ANSWER, 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: `no: ${ANSWER} ${UPSTREAM_KEY} ${PROMPT}` } }));
  } else if (body.includes('do hang')) response.flushHeaders();
  else if (body.includes('do slow')) setTimeout(() => answerAsAsked(request, response, body), SLOW_MS);
  else if (body.includes('do large')) response.end(JSON.stringify({ choices: [], x: ANSWER.repeat(500) }));
  else answerAsAsked(request, response, body);
};

function configOf(url: string): Omit<ConfigInput, 'secret'> {
  const served = (name: string, more: object = {}) => ({ name, upstreams: ['gpu'], ...more });
  return {
    listen: { header_timeout_ms: 300, body_timeout_ms: 300, body_limit_bytes: BODY_LIMIT_BYTES },
    log: { level: 'trace' },
    upstreams: [
      { name: 'gpu', url, api_key_env: 'GPU_KEY' },
      { name: 'narrow', url, max_in_flight: 1 },
      { name: 'gone', url: 'http://127.0.0.1:9' },
    ],
    models: [
      served('public'),
      served('short', { context_length: 16 }),
      served('late', { timeouts: { first_byte_ms: 100 } }),
      { name: 'narrow', upstreams: ['narrow'] },
      { name: 'gone', upstreams: ['gone'] },
    ],
    routes: [{ path: '/predict', upstream: 'gpu', body_schema: { type: 'object', required: ['x'] } }],
    policies: [{ name: 'house', caps: { max_tokens: 1_000 } }],
    waiting: { calls_max: 0 },
    keys: { failed_lookups_per_minute: 5 },
    idempotency: { answer_bytes_max: 2_000, tenant_keys_max: 4 },
    jobs: {
      oversize: { bytes: OVERSIZE_BYTES },
      waiting: { tenant_jobs_max: 2, jobs_max: 4 },
      attempts_max: 1,
    },
    webhooks: { allowed_hosts: ['127.0.0.1:9'] },
    drain: { limit_seconds: 0.3, quiet_seconds: 0 },
  };
}

export async function openSecretGround(): Promise<SecretGround> {
  const [redis, collector, upstream, folder] = await Promise.all([
    startRedis(),
    startCollector(),
    startUpstream(answerAsTold),
    mkdtemp(join(tmpdir(), 'sluice-secrets-')),
  ]);
  const config = configOf(upstream.url);
  const [configFile, workerLog] = [join(folder, 'sluice.yaml'), join(folder, 'worker.log')];
  await writeFile(configFile, stringify(config));
  const env = {
    SLUICE_CONFIG: configFile,
    GPU_KEY: UPSTREAM_KEY,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${COLLECTOR_KEY}`,
    OTEL_BSP_SCHEDULE_DELAY: '50',
  };
  const [gateway, worker] = await Promise.all([
    startGateway({ redis, env }),
    startWorker(redis, config, { ...env, LOG_FILE: workerLog }),
  ]);
  return {
    ...{ redis, gateway, collector, workerUrl: worker.adminUrl },
    workerLog: () => readFile(workerLog, 'utf8'),
    async reload(changes) {
      await writeFile(configFile, stringify({ ...config, ...changes }));
      return gateway.admin('POST', '/config/reload');
    },
    ask: (key, said = '', fields = {}, headers = {}) =>
      send(gateway.url, `/v1/chat/completions?key=${QUERY}`, {
        headers: { ...plantedHeaders, ...bearer(key), ...headers },
        body: chat({
          messages: [{ role: 'user', content: `${PROMPT} do ${said}` }],
          user: PROMPT,
          ...fields,
        }),
      }),
    async stop() {
      await Promise.all([gateway.stop(), worker.stop()]);
      await Promise.all([upstream.stop(), collector.stop()]);
      await redis.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
