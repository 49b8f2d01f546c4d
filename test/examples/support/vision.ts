/** The example of a vision model, with simulators in place of its three servers, for one test file. */
import { createSimulator } from '../../../src/simulator/server.ts';
import { bearer, type Reply, send } from '../../http/client.ts';
import type { GatewayOptions, TestGateway } from '../../support/gateway.ts';
import { type Replacements, startExample } from './example.ts';

export const MODEL = 'step3-vl-10b';

export interface VisionExample {
  /** Two of the stable version and the canary. */
  readonly servers: readonly ReturnType<typeof createSimulator>[];
  readonly gateway: TestGateway;
  /** Another gateway with the same file. */
  another(options: Omit<GatewayOptions, 'config'>): Promise<TestGateway>;
  stop(): Promise<void>;
}

/** @param more what else of the file is replaced */
export async function startVision(more: Replacements = {}): Promise<VisionExample> {
  const names = ['stepfun-ai/Step3-VL-10B', 'stepfun-ai/Step3-VL-10B', '/models/Step3-VL-10B-next'];
  const servers = names.map((name) => createSimulator({ models: [name], tokens: 6 }));
  const replacements: Record<string, string> = { ...more };
  for (const [index, server] of servers.entries()) {
    replacements[`http://127.0.0.1:800${index + 1}`] = (await server.listen('127.0.0.1', 0)).url;
  }
  const gateway = await startExample('vision-model', replacements);
  return {
    servers,
    gateway,
    another: (options) => startExample('vision-model', replacements, options),
    async stop() {
      await gateway.stop();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

/** A question without an image. */
export function ask(
  { url }: Pick<TestGateway, 'url'>,
  key: string,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] });
  return send(url, '/v1/chat/completions', { headers: { ...bearer(key), ...headers }, body });
}
