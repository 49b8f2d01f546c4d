/** Real gateway processes before one simulated GPU server, and a Redis that the test does harm to. */
import type { TestContext } from 'node:test';
import type { ConfigInput } from '../../../../src/config/schema.ts';
import { createSimulator } from '../../../../src/simulator/server.ts';
import type { SimulatorState } from '../../../../src/simulator/state.ts';
import { startGateway, type TestGateway, until } from '../../../support/gateway.ts';
import type { TestRedis } from '../../../support/redis.ts';
import { type Caller, Load, MODEL } from './load.ts';

/** The long form takes minutes. */
export const isLong = process.env.SLUICE_LONG === '1';

/** Of a whole test. */
export const bounded = { timeout: isLong ? 600_000 : 60_000 } as const;

/** A limit of the product holds if a test, on a machine that others use too, stays within so many times it. */
export const TOLERANCE = 3;

export const TENANT = 'acme';

export const allCallsKept = { usage: { calls_kept: 100_000 } } as const;

export interface Ground {
  readonly gateways: readonly TestGateway[];
  readonly load: Load;
  readonly simulator: SimulatorState;
  /** Calls that the GPU server has answered, and their tokens. */
  served(): Promise<{ calls: number; input: number; output: number }>;
  /** @param wanted as the admin API takes it */
  caller(name: string, wanted?: Record<string, unknown>): Promise<Caller & { readonly id: string }>;
  /** Of each replica. */
  metrics(name: string): Promise<readonly number[]>;
  /** Settles when all replicas know of each other, and each has served these. */
  warm(callers: readonly Caller[]): Promise<void>;
}

interface GroundOptions {
  readonly replicas: number;
  /** How each replica reaches Redis. */
  readonly redisUrl: (replica: number) => string;
  /** Another release may not know all fields of this one. */
  readonly config?: (replica: number) => Omit<ConfigInput, 'secret' | 'upstreams' | 'models'>;
  /** Entry of another source tree for a replica. */
  readonly main?: (replica: number) => string | undefined;
  readonly env?: (replica: number) => NodeJS.ProcessEnv;
}

/** Ends its processes before whatever the test says behind this is to be done after it, such as the end of Redis. */
export async function openGround(t: TestContext, options: GroundOptions): Promise<Ground> {
  const simulator = createSimulator({ models: [MODEL], tokens: 4 });
  const { url } = await simulator.listen('127.0.0.1', 0);
  const started: TestGateway[] = [];
  let load: Load | undefined;
  t.after(async () => {
    load?.close();
    await Promise.all(started.map((gateway) => gateway.stop()));
    await simulator.close();
  });
  const served = {
    upstreams: [{ name: 'simulated', url }],
    models: [{ name: MODEL, upstreams: ['simulated'] }],
  };
  const start = async (replica: number) => {
    const main = options.main?.(replica);
    const gateway = await startGateway({
      redis: redisAt(options.redisUrl(replica)),
      config: { ...(options.config?.(replica) ?? allCallsKept), ...served },
      makeKey: false,
      ...(main !== undefined && { main }),
      ...(options.env && { env: options.env(replica) }),
    });
    started.push(gateway);
    return gateway;
  };
  const starting = Array.from({ length: options.replicas }, (_, replica) => start(replica));
  // If one does not start, the others have to be there to be ended.
  await Promise.allSettled(starting);
  const gateways = await Promise.all(starting);
  load = new Load(gateways.map((gateway) => gateway.url));
  const metrics = (name: string) => Promise.all(gateways.map((gateway) => gateway.metric(name)));

  return {
    gateways,
    load,
    simulator: simulator.state,
    metrics,
    async served() {
      const text = await (await fetch(`${url}/metrics`)).text();
      const number = (name: string) =>
        Number(new RegExp(`^vllm:${name}\\{.*\\} (\\d+)`, 'm').exec(text)?.[1]);
      return {
        calls: simulator.state.counts.finished + simulator.state.counts.cancelled,
        input: number('prompt_tokens_total'),
        output: number('generation_tokens_total'),
      };
    },
    async caller(name, wanted = {}) {
      const made = await (gateways[0] as TestGateway).createKey({ tenant: TENANT, name, ...wanted });
      return { ...made, name };
    },
    async warm(callers) {
      const knowEachOther = async () =>
        (await metrics('sluice_replicas')).every((alive) => alive === options.replicas);
      await until(knowEachOther, 'the replicas to know of each other');
      for (const caller of callers) {
        const calls = await load.everywhere(caller);
        if (calls.some(({ status }) => status !== 200)) throw new Error(`${caller.name} is not served`);
      }
    },
  };
}

/** Somebody else's: a gateway is only told the address. */
function redisAt(url: string): TestRedis {
  const notOurs = () => {
    throw new Error('this Redis belongs to the test');
  };
  return { url, port: 0, pid: 0, pause: notOurs, resume: notOurs, stop: async () => notOurs() };
}
