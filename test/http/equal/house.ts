/** Two replicas on one Redis, with a simulated GPU server behind them. */
import { after, before } from 'node:test';
import type { ConfigInput } from '../../../src/config/schema.ts';
import type { SimulatorOptions } from '../../../src/simulator/options.ts';
import { createSimulator, type Simulator } from '../../../src/simulator/server.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { freePort, startRedis, type TestRedis } from '../../support/redis.ts';
import { bearer, chat, type Reply, send } from '../client.ts';

export interface House {
  readonly simulator: Simulator;
  readonly redis: TestRedis;
  readonly one: TestGateway;
  readonly two: TestGateway;
  /** Key of the tenant `acme`. */
  readonly key: string;
  /** How many calls the server has been sent. */
  readonly sent: number;
}

type Settings = Omit<ConfigInput, 'secret' | 'upstreams' | 'models'>;

/** The models: `public`, without a cache; `cached`; and `replaced`, in whose place `public` answers. */
export function house(settings: Settings = {}, options: SimulatorOptions = {}, cacheSeconds = 3_600): House {
  const simulator = createSimulator({ models: ['served'], ...options });
  const started: { redis?: TestRedis; one?: TestGateway; two?: TestGateway } = {};

  before(async () => {
    const { url } = await simulator.listen('127.0.0.1', 0);
    const model = { upstreams: ['simulated'], upstream_model: 'served' };
    const config = {
      ...settings,
      upstreams: [
        { name: 'simulated', url },
        { name: 'dead', url: `http://127.0.0.1:${await freePort()}` },
      ],
      models: [
        { name: 'public', ...model },
        { name: 'cached', cache: { seconds: cacheSeconds }, ...model },
        { name: 'replaced', cache: { seconds: cacheSeconds }, upstreams: ['dead'], fallbacks: ['public'] },
      ],
    };
    const redis = await startRedis();
    started.redis = redis;
    started.one = await startGateway({ redis, config });
    started.two = await startGateway({ redis, config, makeKey: false });
  });
  after(async () => {
    await started.one?.stop();
    await started.two?.stop();
    await started.redis?.stop();
    await simulator.close();
  });

  const there = <T>(one: T | undefined): T => {
    if (one === undefined) throw new Error('the house has not started');
    return one;
  };
  return {
    simulator,
    get redis() {
      return there(started.redis);
    },
    get one() {
      return there(started.one);
    },
    get two() {
      return there(started.two);
    },
    get key() {
      return there(started.one).key;
    },
    get sent() {
      return simulator.state.counts.started;
    },
  };
}

export interface Asked {
  readonly key: string;
  readonly headers?: Record<string, string>;
  readonly fields?: Record<string, unknown>;
}

export function ask(
  { url }: { readonly url: string },
  { key, headers = {}, fields = {} }: Asked,
): Promise<Reply> {
  const body = chat(fields);
  return send(url, '/v1/chat/completions', { headers: { ...bearer(key), ...headers }, body });
}

/** A prompt that no other test has sent. */
export function prompt(text: string) {
  return { messages: [{ role: 'user', content: text }] };
}
