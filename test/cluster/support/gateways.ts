/** Real gateway processes on one Redis, with one simulated GPU server behind them. */
import type { ConfigInput } from '../../../src/config/schema.ts';
import type { SimulatorOptions } from '../../../src/simulator/options.ts';
import { createSimulator } from '../../../src/simulator/server.ts';
import type { SimulatorState } from '../../../src/simulator/state.ts';
import { startGateway, type TestGateway, until } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { type ChaosProxy, startChaosProxy } from '../chaos-proxy.ts';
import { RedisBooks } from './books.ts';
import { ANSWER_TOKENS, MODEL } from './caller.ts';
import { outstandingFaults } from './checker.ts';

/** Long forms run for minutes. */
export const isLong = process.env.SLUICE_LONG === '1';

export interface TenantKey {
  readonly id: string;
  readonly key: string;
  readonly tenant: string;
}

export interface GatewayCluster {
  readonly redis: TestRedis;
  readonly books: RedisBooks;
  readonly gateways: readonly TestGateway[];
  /** Between each replica and Redis, if wanted. */
  readonly proxies: readonly ChaosProxy[];
  readonly simulator: SimulatorState;
  createKey(tenant: string, wanted?: Record<string, unknown>): Promise<TenantKey>;
  /** Sum over all replicas of a metric with these labels. */
  metric(name: string): Promise<number>;
  /** Polls until no ticket is open and no slot taken; how long that took. Fails with what is left. */
  untilNothingOutstanding(tenant: string, limitMs: number): Promise<number>;
  stop(): Promise<void>;
}

interface ClusterOptions {
  readonly replicas: number;
  readonly config?: Omit<ConfigInput, 'secret' | 'upstreams' | 'models'>;
  readonly env?: (replica: number) => NodeJS.ProcessEnv;
  readonly simulator?: SimulatorOptions;
  /** Each replica has a proxy of its own before Redis. */
  readonly withProxies?: boolean;
  /** Entry of another source tree. */
  readonly main?: string;
}

export async function startCluster(options: ClusterOptions): Promise<GatewayCluster> {
  const redis = await startRedis();
  const simulator = createSimulator({ models: [MODEL], tokens: ANSWER_TOKENS, ...options.simulator });
  const { url } = await simulator.listen('127.0.0.1', 0);
  const config = {
    usage: { calls_kept: 100_000 },
    ...options.config,
    upstreams: [{ name: 'simulated', url }],
    models: [{ name: MODEL, upstreams: ['simulated'] }],
  };
  const indices = Array.from({ length: options.replicas }, (_, index) => index);
  const proxies = options.withProxies
    ? await Promise.all(indices.map(() => startChaosProxy(redis.port)))
    : [];
  const start = (replica: number) =>
    startGateway({
      redis,
      config,
      makeKey: false,
      ...(options.main && { main: options.main }),
      env: { ...(proxies[replica] && { REDIS_URL: proxies[replica].url }), ...options.env?.(replica) },
    });
  const started = await Promise.allSettled(indices.map(start));
  const gateways = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stopAll = async () => {
    for (const proxy of proxies) proxy.resume();
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await simulator.close();
    await redis.stop();
  };
  const failed = started.find((one) => one.status === 'rejected');
  if (failed) {
    await stopAll();
    throw failed.reason;
  }
  const books = new RedisBooks(redis.url);

  return {
    redis,
    books,
    gateways,
    proxies,
    simulator: simulator.state,
    async createKey(tenant, wanted = {}) {
      const made = await (gateways[0] as TestGateway).createKey({ tenant, ...wanted });
      return { ...made, tenant };
    },
    async metric(name) {
      const all = await Promise.all(gateways.map((gateway) => gateway.metric(name)));
      return all.reduce((sum, value) => sum + (Number.isNaN(value) ? 0 : value), 0);
    },
    async untilNothingOutstanding(tenant, limitMs) {
      const beganMs = performance.now();
      let faults: string[] = [];
      const isClear = async () => {
        faults = outstandingFaults(await books.outstanding(tenant));
        return faults.length === 0;
      };
      await until(isClear, 'tickets and slots to come back', limitMs).catch((error) => {
        throw new Error(`${error.message}: ${faults.join('; ')}`);
      });
      return performance.now() - beganMs;
    },
    async stop() {
      books.close();
      await stopAll();
    },
  };
}
