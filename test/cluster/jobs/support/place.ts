/** Real gateways and workers before one simulated GPU server. Limits and jobs each have a Redis of their own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { stringify } from 'yaml';
import type { ConfigInput } from '../../../../src/config/schema.ts';
import type { SimulatorOptions } from '../../../../src/simulator/options.ts';
import { createSimulator } from '../../../../src/simulator/server.ts';
import type { SimulatorState } from '../../../../src/simulator/state.ts';
import { startGateway, type TestGateway, until } from '../../../support/gateway.ts';
import { type KillableRedis, startKillableRedis } from '../../outage/support/killable-redis.ts';
import { type AccountState, RedisBooks } from '../../support/books.ts';
import { outstandingFaults, sumFaults } from '../../support/checker.ts';
import { JobCaller, MODEL } from './caller.ts';
import { jobFaults } from './checker.ts';
import { noteCalls } from './gpu.ts';
import type { GpuCall } from './history.ts';
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts';

/** The long form takes minutes. */
export const isLong = process.env.SLUICE_LONG === '1';

/** Of a whole test. */
export const bounded = { timeout: isLong ? 900_000 : 90_000 } as const;

/** A limit of the product holds if a test, on a machine that others use too, stays within so many times it. */
export const TOLERANCE = 3;

export const TENANT = 'acme';
const SETTLED_MS = 30_000;
const SECRET = 'a-secret-for-tests-only-0123456789abcdef';

export interface TenantKey {
  readonly id: string;
  readonly key: string;
  readonly tenant: string;
}

export interface Place {
  readonly gateways: readonly TestGateway[];
  readonly caller: JobCaller;
  readonly gpu: SimulatorState;
  readonly calls: readonly GpuCall[];
  readonly books: RedisBooks;
  /** Of jobs; every write is on its way to the disk before it is answered. */
  readonly queue: KillableRedis;
  /** Of limits and books, likewise. */
  readonly limits: KillableRedis;
  /** Those that were started and not killed. */
  readonly workers: readonly WorkerProcess[];
  startWorker(): Promise<WorkerProcess>;
  kill(worker: WorkerProcess): Promise<void>;
  /** @param wanted as the admin API takes it */
  makeKey(tenant?: string, wanted?: Record<string, unknown>): Promise<TenantKey>;
  /** Polls until no ticket of the tenant is open and no slot taken. */
  untilNothingOutstanding(tenant?: string): Promise<void>;
  /** What is wrong with this run, once nothing is outstanding any more. @param tenants all that have sent anything */
  faults(...tenants: readonly string[]): Promise<string[]>;
  /** Of a key that has a quota of `total`. */
  quotaUsed(key: TenantKey): Promise<AccountState>;
}

export interface PlaceOptions {
  readonly replicas: number;
  readonly workers: number;
  readonly config?: Omit<ConfigInput, 'secret' | 'upstreams' | 'models'>;
  readonly simulator?: SimulatorOptions;
  /** Is told of each call that begins. */
  readonly begun?: (call: GpuCall) => void;
}

export async function openPlace(t: TestContext, options: PlaceOptions): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-jobs-'));
  const [redis, queue] = await Promise.all([
    startKillableRedis({ appendOnly: true }),
    startKillableRedis({ appendOnly: true }),
  ]);
  const simulator = createSimulator({ models: [MODEL], tokens: 4, ...options.simulator });
  const { url } = await simulator.listen('127.0.0.1', 0);
  const calls = noteCalls(simulator, (call) => options.begun?.(call));
  const books = new RedisBooks(redis.url, true);
  const config = {
    usage: { calls_kept: 100_000 },
    ...options.config,
    jobs: { waiting: { tenant_jobs_max: 100_000 }, ...options.config?.jobs },
    upstreams: [{ name: 'gpu', url, api_key_env: 'GPU_KEY' }],
    models: [{ name: MODEL, upstreams: ['gpu'] }],
  };
  const configFile = join(folder, 'sluice.yaml');
  await writeFile(configFile, stringify(config));
  const env = { SLUICE_SECRET: SECRET, QUEUE_REDIS_URL: queue.url };
  const workers = new Set<WorkerProcess>();
  const gateways: TestGateway[] = [];
  let caller: JobCaller | undefined;
  t.after(async () => {
    caller?.close();
    await Promise.all([...workers].map((worker) => worker.kill()));
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    books.close();
    await simulator.close();
    await Promise.all([redis.stop(), queue.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  const startReplica = async () => {
    const made = { redis, config, makeKey: false, env: { ...env, GPU_KEY: 'gateway' } };
    gateways.push(await startGateway(made));
  };
  let started = 0;
  const startWorker = async () => {
    started += 1;
    const name = `worker-${started}`;
    const ways = { ...env, SLUICE_CONFIG: configFile, REDIS_URL: redis.url };
    const worker = await startWorkerProcess(name, join(folder, `${name}.log`), ways);
    workers.add(worker);
    return worker;
  };
  const starting = [
    ...Array.from({ length: options.replicas }, startReplica),
    ...Array.from({ length: options.workers }, startWorker),
  ];
  // If one does not start, the others have to be there to be ended.
  await Promise.allSettled(starting);
  await Promise.all(starting);
  caller = new JobCaller(gateways.map((gateway) => gateway.url));
  const history = { posts: caller.posts, readings: caller.readings, calls };

  const untilNothingOutstanding = async (tenant: string) => {
    let faults: string[] = [];
    const isClear = async () => {
      faults = outstandingFaults(await books.outstanding(tenant));
      return faults.length === 0;
    };
    await until(isClear, 'tickets and slots to come back', SETTLED_MS).catch((error) => {
      throw new Error(`${error.message}: ${faults.join('; ')}`);
    });
  };

  return {
    ...{ gateways, caller, gpu: simulator.state, calls, books, queue, limits: redis, startWorker },
    get workers() {
      return [...workers];
    },
    async kill(worker) {
      workers.delete(worker);
      await worker.kill();
    },
    async makeKey(tenant = TENANT, wanted = {}) {
      return { ...(await (gateways[0] as TestGateway).createKey({ tenant, ...wanted })), tenant };
    },
    untilNothingOutstanding: (tenant = TENANT) => untilNothingOutstanding(tenant),
    async faults(...tenants) {
      const all = tenants.length > 0 ? tenants : [TENANT];
      for (const tenant of all) await untilNothingOutstanding(tenant);
      const kept = await Promise.all(all.map((tenant) => books.books(tenant)));
      const lines = kept.flatMap((one) => one.lines);
      return [...jobFaults(history, lines), ...kept.flatMap((one) => sumFaults(one, undefined))];
    },
    quotaUsed: ({ tenant, id }) => books.account(tenant, `key:${id}`),
  };
}
