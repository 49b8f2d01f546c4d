import { once } from 'node:events';
import type { TestContext } from 'node:test';
import type { ConfigInput } from '../../src/config/schema.ts';
import type { SimulatorOptions } from '../../src/simulator/options.ts';
import { createSimulator } from '../../src/simulator/server.ts';
import { type GatewayOptions, startGateway, type TestGateway } from '../support/gateway.ts';

const TOKEN_MS = 10;

export async function startSimulator(t: TestContext, options: SimulatorOptions = {}) {
  const simulator = createSimulator({ models: ['m'], tokenMs: TOKEN_MS, tokens: 10_000, ...options });
  const { url } = await simulator.listen('127.0.0.1', 0);
  t.after(() => simulator.close());
  return { simulator, url };
}

/** A gateway for one test, in front of a simulator. */
export async function startInFront(
  t: TestContext,
  upstreamUrl: string,
  drain: ConfigInput['drain'],
  options: GatewayOptions = {},
): Promise<TestGateway> {
  const gateway = await startGateway({
    ...options,
    config: {
      drain,
      upstreams: [{ name: 'gpu', url: upstreamUrl }],
      models: [{ name: 'm', upstreams: ['gpu'] }],
    },
  });
  t.after(() => gateway.stop());
  return gateway;
}

/** How a process ended: its exit code, or the signal. */
export async function exitOf({ process: child }: TestGateway): Promise<number | string | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode;
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return code ?? signal;
}

/** A stream of so many tokens; `begun` resolves with the first of them. */
export async function openStream({ url, key }: TestGateway, tokens: number) {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'm',
      stream: true,
      max_tokens: tokens,
      messages: [{ role: 'user', content: 'Hello' }],
    }),
  });
  const rest = (async () => {
    let text = '';
    for await (const piece of answer.body ?? []) text += Buffer.from(piece as Uint8Array).toString();
    return text;
  })();
  return { status: answer.status, text: rest };
}
