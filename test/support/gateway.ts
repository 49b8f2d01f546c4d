/** A real gateway process for one test file, with a Redis of its own unless one is given. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { ConfigInput } from '../../src/config/schema.ts';
import type { Ready } from '../../src/roles/lifecycle.ts';
import { startRedis, type TestRedis } from './redis.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
export const ADMIN_TOKEN = 'a-token-for-tests-only';
const SECRET = 'a-secret-for-tests-only-0123456789abcdef';

export interface TestGateway {
  readonly url: string;
  readonly adminUrl: string;
  readonly process: ChildProcess;
  readonly redis: TestRedis;
  /** Made when the gateway was started; all models. */
  readonly key: string;
  admin(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  createKey(wanted?: Record<string, unknown>): Promise<{ id: string; key: string }>;
  /** Everything that it has written so far. */
  logText(): Promise<string>;
  /** Log lines of requests, waited for until there are so many. */
  logLines(count: number): Promise<Record<string, unknown>[]>;
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

export interface GatewayOptions {
  readonly config?: Omit<ConfigInput, 'secret'>;
  readonly env?: NodeJS.ProcessEnv;
  /** Shared with another gateway; not ended with this one. */
  readonly redis?: TestRedis;
  readonly makeKey?: boolean;
  /** Entry of another source tree; default: this one. */
  readonly main?: string;
}

export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const redis = options.redis ?? (await startRedis());
  const folder = await mkdtemp(join(tmpdir(), 'sluice-gateway-'));
  const logFile = join(folder, 'gateway.log');
  const configFile = join(folder, 'sluice.yaml');
  await writeFile(configFile, stringify(options.config ?? {}));
  const child = fork(options.main ?? main, ['gateway'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: '0',
      SLUICE_ADMIN_TOKEN: ADMIN_TOKEN,
      SLUICE_SECRET: SECRET,
      SLUICE_CONFIG: configFile,
      REDIS_URL: redis.url,
      LOG_FILE: logFile,
      ...options.env,
    },
  });
  const ended = once(child, 'exit');
  const ready = await Promise.race([once(child, 'message'), ended.then(() => undefined)]);
  if (!ready) {
    if (!options.redis) await redis.stop();
    throw new Error('the gateway did not start');
  }
  const [{ listening }] = ready as [Ready];
  const { public: url = '', admin: adminUrl = '' } = listening;

  const admin: TestGateway['admin'] = async (method, path, body) => {
    const answer = await fetch(`${adminUrl}/admin/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const createKey: TestGateway['createKey'] = async (wanted = {}) => {
    const { status, body } = await admin('POST', '/keys', { tenant: 'acme', name: 'test', ...wanted });
    if (status !== 201) throw new Error(`no key: ${JSON.stringify(body)}`);
    return body as { id: string; key: string };
  };
  await untilReady(adminUrl);
  const { key } = options.makeKey === false ? { key: '' } : await createKey();

  return {
    url,
    adminUrl,
    process: child,
    redis,
    key,
    admin,
    createKey,
    logText: () => readFile(logFile, 'utf8'),
    async logLines(count) {
      for (;;) {
        const text = await readFile(logFile, 'utf8');
        const lines = text.split('\n').filter((line) => line.includes('"msg":"request"'));
        if (lines.length >= count) return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
        await tick();
      }
    },
    async metric(name) {
      const text = await (await fetch(`${adminUrl}/metrics`)).text();
      const line = text.split('\n').find((one) => one.startsWith(`${name} `));
      return Number(line?.slice(name.length + 1));
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await ended;
      }
      if (!options.redis) await redis.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function untilReady(adminUrl: string): Promise<void> {
  await until(async () => (await fetch(`${adminUrl}/ready`)).status === 200);
}

/** Polls until a condition holds; fails after ten seconds. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what = 'a condition',
  limitMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await tick();
  }
}

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}
