/** Gateways and a worker with a Redis for limits and one for jobs, and the commands that copy and put back. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { startGateway, type TestGateway } from '../../../support/gateway.ts';
import { startRedis } from '../../../support/redis.ts';
import { startWorkerProcess, type WorkerProcess } from '../../jobs/support/worker-process.ts';

const main = fileURLToPath(new URL('../../../../src/main.ts', import.meta.url));
export const SECRET = 'a-secret-for-tests-only-0123456789abcdef';

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A role that ends by itself. @param nodeArguments such as a limit of its memory */
export async function runRole(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  nodeArguments: readonly string[] = [],
): Promise<Ended> {
  const child = fork(main, [...words], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: [...nodeArguments],
    env: { PATH: process.env.PATH, SLUICE_SECRET: SECRET, ...env },
  });
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    err += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, out, err };
}

/** Names of files in a folder of the test's own. */
export async function scratch(t: TestContext): Promise<(name: string) => string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-backup-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}

export interface Site {
  readonly urls: { readonly REDIS_URL: string; readonly QUEUE_REDIS_URL: string };
  readonly gateways: TestGateway[];
  startGateway(): Promise<TestGateway>;
  startWorker(name: string): Promise<WorkerProcess>;
  /** Gateways and workers; what they had in hand is lost with them. */
  killAll(): Promise<void>;
}

/** Two empty Redis, and what may be started on them. */
export async function openSite(t: TestContext, config: Record<string, unknown>): Promise<Site> {
  const file = await scratch(t);
  const [redis, queue] = await Promise.all([startRedis(), startRedis()]);
  const configFile = file('sluice.yaml');
  await writeFile(configFile, stringify(config));
  const urls = { REDIS_URL: redis.url, QUEUE_REDIS_URL: queue.url };
  const gateways: TestGateway[] = [];
  const workers: WorkerProcess[] = [];
  const killAll = async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.kill()));
    for (const gateway of gateways) gateway.process.kill('SIGKILL');
    await Promise.all(gateways.splice(0).map((gateway) => gateway.stop()));
  };
  t.after(async () => {
    await killAll();
    await Promise.all([redis.stop(), queue.stop()]);
  });
  return {
    ...{ urls, gateways, killAll },
    async startGateway() {
      const env = { SLUICE_SECRET: SECRET, QUEUE_REDIS_URL: queue.url, GPU_KEY: 'gateway' };
      const gateway = await startGateway({ redis, config, makeKey: false, env });
      gateways.push(gateway);
      return gateway;
    },
    async startWorker(name) {
      const env = { ...urls, SLUICE_SECRET: SECRET, SLUICE_CONFIG: configFile };
      const worker = await startWorkerProcess(name, file(`${name}.log`), env);
      workers.push(worker);
      return worker;
    },
  };
}
