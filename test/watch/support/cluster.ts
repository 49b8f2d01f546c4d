/** Two gateways, a worker, two simulated GPU servers and a Redis, for a load that touches everything. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { ConfigInput } from '../../../src/config/schema.ts';
import type { Ready } from '../../../src/roles/lifecycle.ts';
import { createSimulator } from '../../../src/simulator/server.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { freePort, startRedis, type TestRedis } from '../../support/redis.ts';

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
/** As the gateways have it. */
const SECRET = 'a-secret-for-tests-only-0123456789abcdef';
/** What a prompt with this word meets: status 500, a stream that takes seconds, one that breaks off. */
export const words = { fails: 'please-fail', lasts: 'please-take-long', breaks: 'please-break-off' };
/** Longer than usual, because machines that run tests are slow. */
export const REDIS_TIMEOUT_MS = 1_000;
const MODELS = ['steady', 'shaky'];

export interface WatchedCluster {
  readonly gateways: readonly TestGateway[];
  readonly workerAdminUrl: string;
  readonly redis: TestRedis;
  /** A tenant with a webhook, one of few requests, one of few tokens. */
  readonly keys: { readonly acme: string; readonly few: string; readonly short: string };
}

/** @param ends what has been started, to be ended in the opposite order */
export async function startCluster(ends: AsyncDisposableStack): Promise<WatchedCluster> {
  const redis = await startRedis();
  ends.defer(() => redis.stop());
  const servers = await Promise.all([startServer(ends), startServer(ends)]);
  const receiver = await startReceiver(ends);
  const config = configOf(servers, `http://127.0.0.1:${await freePort()}`, new URL(receiver).host);
  const first = await startGateway({ config, redis, makeKey: false });
  ends.defer(() => first.stop());
  const second = await startGateway({ config, redis, makeKey: false });
  ends.defer(() => second.stop());
  const keyOf = async (tenant: string, limits: Record<string, number>) =>
    (await first.createKey({ tenant, name: 'load', limits })).key;
  const keys = {
    acme: await keyOf('acme', {
      requests_per_minute: 100_000,
      tokens_per_minute: 100_000_000,
      max_concurrent: 500,
    }),
    few: await keyOf('few', { requests_per_minute: 2 }),
    short: await keyOf('short', { tokens_per_minute: 100 }),
  };
  await first.admin('PUT', '/tenants/acme/webhook', { url: receiver });
  return { gateways: [first, second], workerAdminUrl: await startWorker(ends, config, redis), redis, keys };
}

async function startServer(ends: AsyncDisposableStack): Promise<string> {
  const simulator = createSimulator({ models: MODELS });
  simulator.state.addFault({ prompt: words.fails, status: 500 });
  simulator.state.addFault({ prompt: words.lasts, token_ms: 50, tokens: 100 });
  simulator.state.addFault({ prompt: words.breaks, cut: 'reset', cut_after_tokens: 3 });
  ends.defer(() => simulator.close());
  return (await simulator.listen('127.0.0.1', 0)).url;
}

async function startReceiver(ends: AsyncDisposableStack): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(204).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

/** @param gone an address where nobody listens */
function configOf(
  servers: readonly string[],
  gone: string,
  receiverHost: string,
): Omit<ConfigInput, 'secret'> {
  const bounds = { max_in_flight: 50, capacity: 20 };
  const named = (name: string) => servers.map((url, index) => ({ name: `${name}-${index}`, url, ...bounds }));
  return {
    upstreams: [...named('gpu'), ...named('shaky'), { name: 'gone', url: gone, ...bounds }],
    models: [
      {
        name: 'steady',
        upstreams: ['gpu-0', 'gpu-1', 'gone'],
        cache: { seconds: 60 },
        prices: { input_per_million_usd: 1, output_per_million_usd: 2 },
      },
      { name: 'shaky', upstreams: ['shaky-0', 'shaky-1'] },
    ],
    redis: { command_timeout_ms: REDIS_TIMEOUT_MS },
    drain: { quiet_seconds: 0, limit_seconds: 1 },
    webhooks: { allowed_hosts: [receiverHost] },
  };
}

async function startWorker(
  ends: AsyncDisposableStack,
  config: Omit<ConfigInput, 'secret'>,
  redis: TestRedis,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-worker-'));
  const configFile = join(folder, 'sluice.yaml');
  await writeFile(configFile, stringify(config));
  const child = fork(main, ['worker'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: {
      ...{ PATH: process.env.PATH, ADMIN_PORT: '0', SLUICE_SECRET: SECRET, SLUICE_CONFIG: configFile },
      ...{ REDIS_URL: redis.url, LOG_FILE: join(folder, 'worker.log') },
    },
  });
  const ended = once(child, 'exit');
  ends.defer(async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  const ready = await Promise.race([once(child, 'message'), ended.then(() => undefined)]);
  if (!ready) throw new Error('the worker did not start');
  const [{ listening }] = ready as [Ready];
  return listening.admin ?? '';
}
