/** Real gateway processes before three simulated GPU servers, and a load that runs while the test does harm to these. */
import type { TestContext } from 'node:test';
import type { ConfigInput } from '../../../../src/config/schema.ts';
import { startGateway, type TestGateway, until } from '../../../support/gateway.ts';
import { startRedis } from '../../../support/redis.ts';
import { type Caller, Load, MODEL } from '../../outage/support/load.ts';
import { type Server, startServer } from './servers.ts';

export type Given = Omit<ConfigInput, 'secret'>;

export interface Ground {
  readonly gateways: readonly TestGateway[];
  readonly servers: readonly [Server, Server, Server];
  readonly load: Load;
  /** A key of this tenant. */
  caller(tenant: string): Promise<Caller>;
  /** Settles when all replicas see the server so; says how many milliseconds that took. */
  untilState(server: Server, holds: (state: string) => boolean, limitMs: number): Promise<number>;
  /**
   * Of all calls so far, from the logs of all replicas.
   * @param besides calls of each replica that are not of the load, and have ended
   */
  logLines(besides?: number): Promise<readonly Record<string, unknown>[]>;
}

/** Of an answer. */
export interface Pace {
  readonly tokens: number;
  readonly tokenMs: number;
}

interface GroundOptions {
  readonly replicas: number;
  readonly pace: Pace;
  /** Of each server, and of one replica. */
  readonly maxInFlight?: number;
  readonly config?: Omit<Given, 'upstreams' | 'models'>;
}

const NAMES = ['gpu-1', 'gpu-2', 'gpu-3'] as const;

/** Each begins a conversation of its own. Faults can tell the even ones from the odd. */
function bodyOf(number: number, tokens: number): string {
  const parity = number % 2 === 0 ? 'even' : 'odd';
  const content = `${number}: an ${parity} question that nobody has asked in these words before, not even once`;
  return JSON.stringify({ model: MODEL, messages: [{ role: 'user', content }], max_tokens: tokens });
}

export async function openGround(t: TestContext, options: GroundOptions): Promise<Ground> {
  const servers = await startServers(t, options.pace.tokenMs);
  const redis = await startRedis();
  const gateways: TestGateway[] = [];
  t.after(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await redis.stop();
  });
  const limit = options.maxInFlight;
  const config: Given = {
    drain: { quiet_seconds: 0 },
    ...options.config,
    upstreams: servers.map(({ name, url }) => ({
      ...{ name, url },
      ...(limit !== undefined && { max_in_flight: limit }),
    })),
    models: [{ name: MODEL, upstreams: servers.map(({ name }) => name) }],
  };
  const starting = Array.from({ length: options.replicas }, () =>
    startGateway({ redis, config, makeKey: false }).then((gateway) => void gateways.push(gateway)),
  );
  // If one does not start, the others have to be there to be ended.
  await Promise.allSettled(starting);
  await Promise.all(starting);
  const load = new Load(
    gateways.map(({ url }) => url),
    (number) => bodyOf(number, options.pace.tokens),
  );
  t.after(() => load.close());
  return {
    gateways,
    servers,
    load,
    async caller(tenant) {
      const { key } = await (gateways[0] as TestGateway).createKey({ tenant });
      const caller = { name: tenant, key };
      const met = await load.everywhere(caller);
      if (met.some(({ status }) => status !== 200)) throw new Error(`${tenant} is not served`);
      return caller;
    },
    async untilState({ name }, holds, limitMs) {
      const beganMs = performance.now();
      const isSo = async () => {
        const states = await Promise.all(gateways.map((gateway) => stateOf(gateway, name)));
        return states.every(holds);
      };
      await until(isSo, `${name} to change its state`, limitMs);
      return performance.now() - beganMs;
    },
    async logLines(besides = 0) {
      const of = (replica: number) => load.calls.filter((call) => call.replica === replica).length;
      const linesOf = (gateway: TestGateway, replica: number) => gateway.logLines(of(replica) + besides);
      const lines = await Promise.all(gateways.map(linesOf));
      return lines.flat();
    },
  };
}

async function startServers(t: TestContext, tokenMs: number): Promise<readonly [Server, Server, Server]> {
  const started: Server[] = [];
  t.after(() => Promise.all(started.map((server) => server.kill())));
  const start = async (name: string) => {
    const server = await startServer(name, tokenMs);
    started.push(server);
    return server;
  };
  return Promise.all([start(NAMES[0]), start(NAMES[1]), start(NAMES[2])]);
}

export async function stateOf(gateway: TestGateway, name: string): Promise<string> {
  const { body } = await gateway.admin('GET', '/upstreams');
  const found = (body.data as { name: string; state: string }[]).find((one) => one.name === name);
  return found?.state ?? 'unknown';
}
