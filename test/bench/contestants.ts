/** What is compared: each is started on a free port in front of the same upstream and ended by the id it was given. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createAnswerReader } from './answer-reader.ts';
import { openSocket } from './client-socket.ts';
import {
  endProcess,
  FEEDING_CORE,
  freePort,
  nextMessage,
  PROXY_CORE,
  portAnswers,
  startPinned,
  startScript,
  withChildren,
} from './processes.ts';
import { type RedisTime, redisTime } from './redis-time.ts';
import { MODEL, requestBytes } from './requests.ts';

/** `routed`, `drawn`: the gateway before three servers, of which the prompt or the load chooses one. */
export type ContestantName = 'direct' | 'nginx' | 'bare' | 'open' | 'gateway' | 'routed' | 'drawn';
type GatewayName = 'open' | 'gateway' | 'routed' | 'drawn';

export const labels: Readonly<Record<ContestantName, string>> = {
  direct: 'upstream itself',
  nginx: 'nginx',
  bare: 'bare proxy',
  open: 'without limits',
  gateway: 'gateway',
  routed: 'three servers by prompt',
  drawn: 'three servers by load',
};

export interface Contestant {
  readonly name: ContestantName;
  readonly port: number;
  readonly key: string;
  readonly pids: readonly number[];
  /** Microseconds that its Redis has spent: in scripts, and in all on its core. */
  redisTime?(): Promise<RedisTime>;
  end(): Promise<void>;
}

const folders = new Set<string>();

const KEY_OF_OTHERS = 'sk-bench-0123456789abcdefghijklmnopqrstuvwxyz';
const NGINX = '/usr/sbin/nginx';
const WITHOUT_ADMISSION = new URL('without-admission.ts', import.meta.url).href;
export const SLUICE_MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const GATEWAY_ROLE = new URL('../../src/roles/gateway.ts', import.meta.url).pathname;

const gatewayNames: ReadonlySet<string> = new Set<GatewayName>(['open', 'gateway', 'routed', 'drawn']);

/** Why a contestant cannot take part, and what would help; undefined when it can. */
export function absence(name: ContestantName): string | undefined {
  if (name === 'nginx' && !existsSync(NGINX))
    return `${NGINX} is missing; install it with: apt-get install nginx-light`;
  if (gatewayNames.has(name) && !existsSync(GATEWAY_ROLE)) return 'this tree has no gateway role yet';
  return undefined;
}

export interface StartOptions {
  readonly upstreamPort: number;
  /** Where the gateway leaves a CPU profile when it ends. */
  readonly profileFolder?: string | undefined;
}

export async function startContestant(name: ContestantName, options: StartOptions): Promise<Contestant> {
  const contestant = await starters[name](options);
  await answersOnce(contestant);
  return contestant;
}

const starters: Record<ContestantName, (options: StartOptions) => Promise<Contestant>> = {
  direct: async ({ upstreamPort }) => ({
    name: 'direct',
    port: upstreamPort,
    key: KEY_OF_OTHERS,
    pids: [],
    end: async () => {},
  }),
  nginx: startNginx,
  bare: startBareProxy,
  open: (options) => startGateway('open', options),
  gateway: (options) => startGateway('gateway', options),
  routed: (options) => startGateway('routed', options),
  drawn: (options) => startGateway('drawn', options),
};

async function startBareProxy({ upstreamPort }: StartOptions): Promise<Contestant> {
  const { child, ready } = await startScript(PROXY_CORE, 'bare-proxy.ts', `http://127.0.0.1:${upstreamPort}`);
  return {
    name: 'bare',
    port: (ready as { port: number }).port,
    key: KEY_OF_OTHERS,
    pids: [Number(child.pid)],
    end: () => endProcess(child),
  };
}

async function startNginx({ upstreamPort }: StartOptions): Promise<Contestant> {
  const folder = await temporaryFolder();
  const port = await freePort();
  await writeFile(join(folder, 'nginx.conf'), nginxConfiguration(folder, port, upstreamPort));
  const child = startPinned({
    core: PROXY_CORE,
    command: NGINX,
    arguments: ['-p', folder, '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')],
  });
  await portAnswers(port, child);
  return {
    name: 'nginx',
    port,
    key: KEY_OF_OTHERS,
    pids: withChildren(Number(child.pid)),
    async end() {
      await endProcess(child);
      await removeFolder(folder);
    },
  };
}

/** nginx as most would write it for speed: one worker, kept connections on both sides, no access log. */
function nginxConfiguration(folder: string, port: number, upstreamPort: number): string {
  const temporaryPaths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
events { worker_connections 16384; }
http {
  access_log off;
  ${temporaryPaths.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  client_max_body_size 20m;
  client_body_buffer_size 2m;
  upstream model_server {
    server 127.0.0.1:${upstreamPort};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://model_server;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`;
}

/**
 * With a key from a real Redis, metrics, and a log line for each request; `gateway` has limits and quotas of every
 * kind on key and tenant, prices and usage too, `open` none of it.
 */
async function startGateway(
  name: GatewayName,
  { upstreamPort, profileFolder }: StartOptions,
): Promise<Contestant> {
  const folder = await temporaryFolder();
  const { redis, redisPort } = await startRedis(folder);
  const port = await freePort();
  const adminPort = await freePort();
  const adminToken = 'bench-admin-token-0123456789';
  const isProfiled = profileFolder !== undefined && name === 'gateway';
  const profiling = isProfiled ? ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`] : [];
  const preloaded = name === 'open' ? ['--import', WITHOUT_ADMISSION] : [];
  const configuration = join(folder, 'sluice.yaml');
  await writeFile(configuration, JSON.stringify(gatewayConfiguration(name, upstreamPort)));
  const child = startPinned({
    core: PROXY_CORE,
    command: process.execPath,
    arguments: [...profiling, ...preloaded, SLUICE_MAIN, 'gateway'],
    folder,
    channel: true,
    environment: {
      HOST: '127.0.0.1',
      PORT: String(port),
      ADMIN_HOST: '127.0.0.1',
      ADMIN_PORT: String(adminPort),
      SLUICE_ADMIN_TOKEN: adminToken,
      SLUICE_SECRET: 'bench-secret-0123456789abcdef0123456789abcdef',
      REDIS_URL: `redis://127.0.0.1:${redisPort}`,
      SLUICE_CONFIG: configuration,
      LOG_FILE: join(folder, 'gateway.log'),
    },
  });
  await nextMessage(child);
  return {
    name,
    port,
    key: await createKey(adminPort, adminToken, name !== 'open'),
    pids: [Number(child.pid)],
    redisTime: () => redisTime(redisPort),
    async end() {
      await endProcess(child);
      await endProcess(redis);
      await removeFolder(folder);
    },
  };
}

/** Keeps nothing. */
export async function startRedis(folder: string): Promise<{ redis: ChildProcess; redisPort: number }> {
  const redisPort = await freePort();
  const redis = startPinned({
    core: FEEDING_CORE,
    command: 'redis-server',
    arguments: [
      ...['--port', String(redisPort), '--bind', '127.0.0.1', '--dir', folder],
      ...['--save', '', '--loglevel', 'warning'],
    ],
  });
  await portAnswers(redisPort, redis);
  return { redis, redisPort };
}

/** Several servers are one process under several names: what they can bear together stays the same. */
function gatewayConfiguration(name: GatewayName, upstreamPort: number) {
  const prices = { input_per_million_usd: 0.5, output_per_million_usd: 1.5, gpu_hour_usd: 2 };
  const names = name === 'routed' || name === 'drawn' ? ['gpu-1', 'gpu-2', 'gpu-3'] : ['upstream'];
  const choice = name === 'drawn' ? 'least_load' : 'affinity';
  return {
    upstreams: names.map((one) => ({ name: one, url: `http://127.0.0.1:${upstreamPort}` })),
    // A megabyte of prose would become a job, and none is measured here.
    models: [{ name: MODEL, upstreams: names, choice, prices, oversize: false }],
  };
}

/** High enough for any machine: what is measured is the work, not the waiting. */
const LIMITS = {
  limits: { requests_per_minute: 900_000_000, tokens_per_minute: 900_000_000_000, max_concurrent: 100_000 },
  quotas: [
    { period: 'day', requests: 1_000_000_000, tokens: 1_000_000_000_000 },
    { period: 'month', requests: 1_000_000_000, cost_usd: 1_000_000 },
  ],
};

export async function createKey(adminPort: number, adminToken: string, limited: boolean): Promise<string> {
  const post = async (path: string, body: object) => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/admin/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (answer.status !== 201) throw new Error(`no key: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { key: string };
  };
  const allowance = limited ? LIMITS : {};
  await post('/tenants', { name: 'bench', ...allowance });
  return (await post('/keys', { tenant: 'bench', name: 'bench', ...allowance })).key;
}

/** The gateway learns from the upstream which models there are and may need a moment for it. */
async function answersOnce(contestant: Contestant): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  for (;;) {
    const failure = await askOnce(contestant).catch((error: Error) => error);
    if (!failure) return;
    if (Date.now() > giveUpAt) throw new Error(`${labels[contestant.name]}: ${failure.message}`);
    await delay(50);
  }
}

async function askOnce(contestant: Contestant): Promise<undefined> {
  const answered = Promise.withResolvers<undefined>();
  const answerEnds = createAnswerReader();
  const socket = openSocket({
    port: contestant.port,
    onOpen: () => socket.write(requestBytes('chat', contestant)),
    onBytes: (bytes) => {
      try {
        if (answerEnds(bytes)) answered.resolve(undefined);
      } catch (error) {
        answered.reject(error);
      }
    },
    onLost: answered.reject,
  });
  try {
    return await answered.promise;
  } finally {
    socket.destroy();
  }
}

/** nginx's worker may run as another user than the one who made the folder. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  await chmod(folder, 0o755);
  folders.add(folder);
  return folder;
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** For the end of a run that was broken off: call it when the processes have ended. */
export async function removeAllFolders(): Promise<void> {
  await Promise.all([...folders].map(removeFolder));
}
