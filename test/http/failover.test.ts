/** Three GPU servers behind a gateway, of which one or all go wrong while calls run. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createSimulator, type Simulator } from '../../src/simulator/server.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

const NAMES = ['a', 'b', 'c'] as const;

async function threeServers(t: TestContext, model: Record<string, unknown> = {}) {
  const simulators: Simulator[] = [];
  const upstreams: { name: string; url: string }[] = [];
  for (const name of NAMES) {
    const simulator = createSimulator({ models: ['m'] });
    const { url } = await simulator.listen('127.0.0.1', 0);
    simulators.push(simulator);
    upstreams.push({ name, url });
  }
  const gateway = await startGateway({
    config: {
      upstreams,
      models: [{ name: 'm', upstreams: [...NAMES], choice: 'least_load', ...model }],
    },
  });
  t.after(async () => {
    await gateway.stop();
    await Promise.all(simulators.map((simulator) => simulator.close()));
  });
  return { gateway, simulators };
}

async function call({ url, key }: TestGateway): Promise<{ status: number; tookMs: number }> {
  const beganAtMs = performance.now();
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', max_tokens: 2, messages: [{ role: 'user', content: 'hello' }] }),
  });
  await answer.arrayBuffer();
  return { status: answer.status, tookMs: performance.now() - beganAtMs };
}

/** At a steady rate; settles when all are answered. */
async function load(gateway: TestGateway, perSecond: number, count: number) {
  const calls: Promise<{ status: number; tookMs: number }>[] = [];
  const beganAtMs = performance.now();
  for (let index = 0; index < count; index += 1) {
    const waitMs = beganAtMs + (index * 1_000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    calls.push(call(gateway));
  }
  return Promise.all(calls);
}

function failed(answers: readonly { status: number }[]): number {
  return answers.filter(({ status }) => status !== 200).length;
}

test('of one server that answers 500, and then resets every connection, hardly any caller hears', async (t) => {
  const { gateway, simulators } = await threeServers(t);
  assert.equal(failed(await load(gateway, 100, 60)), 0);
  simulators[0]?.state.addFault({ status: 500 });
  const whileFailing = await load(gateway, 100, 200);
  t.diagnostic(`${failed(whileFailing)} of 200 calls failed while one of three answered 500`);
  assert.ok(failed(whileFailing) <= 2);
  simulators[0]?.state.clearFaults();
  simulators[1]?.state.addFault({ cut: 'reset' });
  const whileResetting = await load(gateway, 100, 200);
  t.diagnostic(`${failed(whileResetting)} of 200 calls failed while one of three reset its connections`);
  assert.ok(failed(whileResetting) <= 2);
});

test('when all servers fail, attempts stay under 1.2 times the requests, and each caller gets an error', async (t) => {
  const { gateway, simulators } = await threeServers(t);
  await load(gateway, 100, 30);
  const before = simulators.map(({ state }) => state.counts.started);
  for (const { state } of simulators) state.addFault({ cut: 'reset' });
  const answers = await load(gateway, 150, 450);
  const attempts = simulators.reduce(
    (sum, { state }, index) => sum + state.counts.started - (before[index] ?? 0),
    0,
  );
  t.diagnostic(`${attempts} attempts for ${answers.length} requests that all fail`);
  assert.equal(failed(answers), answers.length);
  assert.ok(attempts < 1.2 * answers.length, `${attempts}`);
});

test('calls that wait at a frozen server are answered by another one', async (t) => {
  const { gateway, simulators } = await threeServers(t);
  await load(gateway, 100, 60);
  simulators[0]?.state.turn({ freeze: true });
  const answers = await load(gateway, 40, 200);
  simulators[0]?.state.turn({ freeze: false });
  const slowestMs = Math.max(...answers.map(({ tookMs }) => tookMs));
  t.diagnostic(`${failed(answers)} of 200 calls failed, slowest ${slowestMs.toFixed(0)} ms`);
  assert.ok(failed(answers) <= 4, 'within the budget of retries all are moved');
  assert.ok(slowestMs < 9_000, 'three times the time in which it is found to be frozen');
});

test('a model without a working server is answered by its fallback, in its own name', async (t) => {
  const simulator = createSimulator({ models: ['small'] });
  const { url } = await simulator.listen('127.0.0.1', 0);
  const gateway = await startGateway({
    config: {
      upstreams: [
        { name: 'gone', url: 'http://127.0.0.1:9' },
        { name: 'there', url },
      ],
      models: [
        { name: 'm', upstreams: ['gone'], fallbacks: ['small'] },
        { name: 'small', upstreams: ['there'] },
      ],
    },
  });
  t.after(async () => {
    await gateway.stop();
    await simulator.close();
  });
  assert.equal((await call(gateway)).status, 200);
});
