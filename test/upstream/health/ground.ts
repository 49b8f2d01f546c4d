/** Simulated GPU servers that are really probed, and a stream of calls that goes where it is allowed to. */
import type { TestContext } from 'node:test';
import { createSimulator, type Simulator } from '../../../src/simulator/server.ts';
import type { ServerState } from '../../../src/upstream/health/server-health.ts';
import { usable } from '../../../src/upstream/health/usable.ts';
import { Prober, type ProberParts } from '../../../src/upstream/probe.ts';
import { type HealthCheck, Upstream } from '../../../src/upstream/upstream.ts';

export interface Place {
  readonly simulator: Simulator;
  readonly upstream: Upstream;
}

export async function place(t: TestContext, name: string, healthCheck?: HealthCheck): Promise<Place> {
  const simulator = createSimulator();
  const { url } = await simulator.listen('127.0.0.1', 0);
  t.after(() => simulator.close());
  return { simulator, upstream: upstreamAt(name, url, healthCheck) };
}

export function upstreamAt(name: string, url: string, healthCheck?: HealthCheck): Upstream {
  return new Upstream({
    ...{ name, url, apiKey: undefined, discover: false, gpus: 1 },
    ...(healthCheck && { healthCheck }),
  });
}

/** Started; ends with the test. */
export async function probing(t: TestContext, upstreams: readonly Upstream[], parts: ProberParts = {}) {
  const models = {
    upstreams: new Map(upstreams.map((upstream) => [upstream.name, upstream])),
    refreshDiscovered: () => undefined,
  };
  const prober = new Prober(models, parts);
  t.after(() => prober.stop());
  await prober.start();
  return { prober, upstreams: models.upstreams };
}

/** How long it took until the server was in one of these states, in seconds. */
export async function untilState(
  { serverHealth }: Upstream,
  states: readonly ServerState[],
  limitSeconds: number,
): Promise<number> {
  const begunMs = performance.now();
  while (!states.includes(serverHealth.state(performance.now()))) {
    if (performance.now() - begunMs > limitSeconds * 1_000) {
      throw new Error(`not ${states.join(' or ')} within ${limitSeconds} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return (performance.now() - begunMs) / 1_000;
}

export interface Traffic {
  /** Calls that a server has got so far. */
  sentTo(upstream: Upstream): number;
  stop(): void;
}

/** Calls as a gateway would place them, told to the server's health; so many each second. */
export function traffic(t: TestContext, upstreams: readonly Upstream[], perSecond: number): Traffic {
  const members = upstreams.map((upstream) => ({ upstream }));
  const sent = new Map<Upstream, number>();
  const ended = new AbortController();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const upstream = draw(usable(members, nowMs), nowMs);
    if (!upstream) return;
    sent.set(upstream, (sent.get(upstream) ?? 0) + 1);
    void call(upstream, ended.signal);
  }, 1_000 / perSecond);
  const stop = () => {
    clearInterval(timer);
    ended.abort();
  };
  t.after(stop);
  return { sentTo: (upstream) => sent.get(upstream) ?? 0, stop };
}

function draw(members: readonly { upstream: Upstream }[], nowMs: number): Upstream | undefined {
  const weights = members.map(({ upstream }) => upstream.serverHealth.weightFactor(nowMs));
  let rest = Math.random() * weights.reduce((sum, weight) => sum + weight, 0);
  return members.find((_, index) => {
    rest -= weights[index] ?? 0;
    return rest < 0;
  })?.upstream;
}

async function call({ origin, serverHealth }: Upstream, signal: AbortSignal): Promise<void> {
  const epoch = serverHealth.began(performance.now());
  try {
    const answer = await fetch(`${origin}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ messages: [{ role: 'user', content: 'hi' }], max_tokens: 1 }),
      signal,
    });
    await answer.arrayBuffer();
    const nowMs = performance.now();
    if (answer.status >= 500) serverHealth.failed(epoch, 'status', nowMs);
    else serverHealth.succeeded(epoch, nowMs);
  } catch {
    serverHealth.failed(epoch, 'reset', performance.now());
  }
}
