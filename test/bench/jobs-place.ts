/** What jobs pass through: a gateway that takes them in, a Redis, a worker; each pinned, ended by its id. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { configSchema } from '../../src/config/schema.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { usageTable } from '../../src/redis/usage-table.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createKey, removeFolder, SLUICE_MAIN, startRedis, temporaryFolder } from './contestants.ts';
import { endProcess, freePort, nextMessage, PROXY_CORE, startPinned } from './processes.ts';
import { MODEL } from './requests.ts';

/** Jobs that the worker runs at once. */
export const AT_ONCE = 128;
const SECRET = 'bench-secret-0123456789abcdef0123456789abcdef';
const ADMIN_TOKEN = 'bench-admin-token-0123456789';
const TENANT = 'bench';
const LOOK_EVERY_MS = 20;
const SETTLED_MS_MAX = 60_000;

export type JobPlace = Awaited<ReturnType<typeof openJobPlace>>;

export async function openJobPlace(upstreamPort: number) {
  const folder = await temporaryFolder();
  const { redis, redisPort } = await startRedis(folder);
  const [port, gatewayAdmin, workerAdmin] = [await freePort(), await freePort(), await freePort()];
  const url = `redis://127.0.0.1:${redisPort}`;
  const configuration = join(folder, 'sluice.yaml');
  await writeFile(configuration, JSON.stringify(configurationOf(upstreamPort)));
  const start = async (role: 'gateway' | 'worker', adminPort: number, options: readonly string[] = []) => {
    const child = startPinned({
      core: PROXY_CORE,
      command: process.execPath,
      arguments: [...options, SLUICE_MAIN, role],
      folder,
      channel: true,
      environment: {
        ...{ HOST: '127.0.0.1', PORT: String(port), ADMIN_HOST: '127.0.0.1', ADMIN_PORT: String(adminPort) },
        ...{ SLUICE_ADMIN_TOKEN: ADMIN_TOKEN, SLUICE_SECRET: SECRET, SLUICE_CONFIG: configuration },
        ...{ REDIS_URL: url, LOG_FILE: join(folder, `${role}.log`) },
      },
    });
    await nextMessage(child);
    return child;
  };
  const gateway = await start('gateway', gatewayAdmin);
  const key = await createKey(gatewayAdmin, ADMIN_TOKEN, true);
  const config = configSchema.parse({ secret: SECRET, redis: { url } });
  const connection = connectRedis(config.redis, createLogger('silent', {}, { write: () => undefined }));
  await connection.reached();
  const usage = usageTable(connection);

  /** Calls that the tenant has been charged for. */
  const settled = async (): Promise<number> => {
    const span = new Date().toISOString().slice(0, 10);
    const found = await usage.sums(TENANT, [{ span, keyId: '*', model: '*' }]);
    return (found.ok && found.value[0]?.calls) || 0;
  };

  return {
    ...{ port, key, redisPort, redisUrl: url },
    redisPid: Number(redis.pid),
    /** @param profileFolder where it leaves a CPU profile when it ends */
    startWorker: (profileFolder: string | undefined): Promise<ChildProcess> =>
      start(
        'worker',
        workerAdmin,
        profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`],
      ),
    async untilSettled(count: number): Promise<void> {
      const giveUpAtMs = performance.now() + SETTLED_MS_MAX;
      for (;;) {
        const now = await settled();
        if (now >= count) return;
        if (performance.now() > giveUpAtMs) throw new Error(`${now} of ${count} jobs are settled`);
        await delay(LOOK_EVERY_MS);
      }
    },
    settled,
    redisBytes: async (): Promise<number> => {
      const told = await connection.ask((client) => client.info('memory'));
      return Number(/used_memory:(\d+)/.exec(told.ok ? told.value : '')?.[1]);
    },
    workerLog: () => readFileSync(join(folder, 'worker.log'), 'utf8'),
    async end() {
      connection.close();
      await endProcess(gateway);
      await endProcess(redis);
      await removeFolder(folder);
    },
  };
}

function configurationOf(upstreamPort: number) {
  const prices = { input_per_million_usd: 0.5, output_per_million_usd: 1.5, gpu_hour_usd: 2 };
  return {
    // A machine that does other things too shall show in the figures, not end the run.
    redis: { command_timeout_ms: 1_000 },
    upstreams: [{ name: 'upstream', url: `http://127.0.0.1:${upstreamPort}` }],
    models: [{ name: MODEL, upstreams: ['upstream'], prices }],
    jobs: { waiting: { tenant_jobs_max: 1_000_000, jobs_max: 1_000_000 } },
    worker: { concurrency: AT_ONCE },
  };
}
