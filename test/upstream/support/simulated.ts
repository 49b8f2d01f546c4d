/** A gateway with a simulator behind it, for one test file. */
import { after, before } from 'node:test';
import type { ConfigInput } from '../../../src/config/schema.ts';
import type { SimulatorOptions } from '../../../src/simulator/options.ts';
import { createSimulator, type Simulator } from '../../../src/simulator/server.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';

export const SERVED = '/models/simulated';

export interface Simulated {
  readonly simulator: Simulator;
  readonly gateway: TestGateway;
  readonly simulatorUrl: string;
}

type Settings = Omit<ConfigInput, 'secret' | 'upstreams' | 'models'> & {
  readonly env?: NodeJS.ProcessEnv;
  readonly model?: Partial<NonNullable<ConfigInput['models']>[number]>;
};

/** Started before the first test of the file and ended after the last; the model's name is `public`. */
export function simulated(settings: Settings = {}, options: SimulatorOptions = {}): Simulated {
  const simulator = createSimulator({ models: [SERVED], ...options });
  let gateway: TestGateway | undefined;
  let simulatorUrl = '';
  const { model, env, ...config } = settings;

  before(async () => {
    ({ url: simulatorUrl } = await simulator.listen('127.0.0.1', 0));
    gateway = await startGateway({
      ...(env && { env }),
      config: {
        ...config,
        upstreams: [{ name: 'simulated', url: simulatorUrl }],
        models: [{ name: 'public', upstreams: ['simulated'], upstream_model: SERVED, ...model }],
      },
    });
  });
  after(async () => {
    await gateway?.stop();
    await simulator.close();
  });

  return {
    simulator,
    get gateway() {
      if (!gateway) throw new Error('the gateway has not started');
      return gateway;
    },
    get simulatorUrl() {
      return simulatorUrl;
    },
  };
}
