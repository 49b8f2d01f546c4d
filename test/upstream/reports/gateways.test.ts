/** Three GPU servers behind two gateways: who asks them for their load, and what becomes of the answers. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createSimulator, type Simulator } from '../../../src/simulator/server.ts';
import { startGateway, type TestGateway, until } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';

const NAMES = ['a', 'b', 'c'] as const;

let redis: TestRedis;
const simulators: Simulator[] = [];
const urls: string[] = [];
const gateways: TestGateway[] = [];
let key: string;
const abandoned = new AbortController();

before(async () => {
  redis = await startRedis();
  for (const _ of NAMES) {
    const simulator = createSimulator({ models: ['m'] });
    simulators.push(simulator);
    urls.push((await simulator.listen('127.0.0.1', 0)).url);
  }
  const [first = ''] = urls;
  const config = {
    upstreams: [
      ...NAMES.map((name, index) => ({ name, url: urls[index] ?? '', capacity: 4 })),
      { name: 'bounded', url: first, max_in_flight: 2, load_metrics: false },
      { name: 'unknown', url: first, load_metrics: false },
    ],
    models: [
      { name: 'm', upstreams: [...NAMES], choice: 'least_load' as const },
      { name: 'full', upstreams: ['bounded'], upstream_model: 'm' },
      { name: 'unmeasured', upstreams: ['unknown'], upstream_model: 'm' },
    ],
  };
  gateways.push(await startGateway({ redis, config }), await startGateway({ redis, config, makeKey: false }));
  key = gateways[0]?.key ?? '';
});

after(async () => {
  abandoned.abort();
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  await Promise.all(simulators.map((simulator) => simulator.close()));
  await redis.stop();
});

const HANGS = 'this call hangs';

async function call(url: string, model: string, content: string, ended: AbortSignal): Promise<number> {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, max_tokens: 1, messages: [{ role: 'user', content }] }),
    signal: ended,
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** So many calls that go on until the function that is returned ends them. */
function hanging(url: string, model: string, count: number): () => void {
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, abandoned.signal]);
  for (let index = 0; index < count; index += 1) call(url, model, HANGS, signal).catch(() => undefined);
  return () => ended.abort();
}

function letHang(hang: boolean): void {
  for (const { state } of simulators) {
    if (hang) state.addFault({ cut: 'hang', prompt: HANGS });
    else state.clearFaults();
  }
}

function reported(name: string, state: 'running' | 'waiting'): string {
  return `sluice_upstream_reported_requests{upstream="${name}",state="${state}"}`;
}

test('each server is asked once in an interval, however many gateways there are, and all of them know', async (t) => {
  for (const gateway of gateways) {
    for (const name of NAMES)
      await until(async () => (await gateway.metric(reported(name, 'running'))) === 0);
  }
  const beganAtMs = performance.now();
  const tookMs = await Promise.all(
    simulators.map(async ({ state }) => {
      const enough = state.counts.metrics_read + 4;
      await state.until(({ metrics_read }) => metrics_read >= enough);
      return performance.now() - beganAtMs;
    }),
  );
  t.diagnostic(`four times in ${tookMs.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  for (const ms of tookMs) {
    assert.ok(ms > 2_500, `${ms} ms are too few for four questions`);
    assert.ok(ms < 15_000, `${ms} ms are too many for four questions`);
  }
});

test('calls that go round the gateways keep others away from a server', async (t) => {
  const [busy] = simulators;
  const [url = ''] = urls;
  const [, gateway] = gateways;
  assert.ok(busy && gateway);
  letHang(true);
  const end = hanging(url, 'm', 40);
  await until(async () => (await gateway.metric(reported('a', 'running'))) === 40);

  const { body } = await gateway.admin('GET', '/upstreams');
  const [first] = body.data as { reported_load: Record<string, number>; capacity: number }[];
  assert.equal(first?.reported_load.running, 40);
  assert.equal(first?.capacity, 4);
  assert.ok(Number(first?.reported_load.seconds_ago) < 10);
  assert.ok((await gateway.metric('sluice_upstream_report_age_seconds{upstream="a"}')) < 10);

  const before = simulators.map(({ state }) => state.counts.started);
  for (let index = 0; index < 60; index += 1) {
    assert.equal(await call(gateway.url, 'm', 'hello', abandoned.signal), 200);
  }
  const got = simulators.map(({ state }, index) => state.counts.started - (before[index] ?? 0));
  t.diagnostic(`of 60 calls ${got.join(', ')}`);
  assert.ok((got[0] ?? 60) <= 3, `the busy server got ${got[0]}`);
  end();
  await busy.state.until(({ running }) => running === 0);
  letHang(false);
});

test('the gauge of servers wanted is calls in flight and waiting, in servers, of each gateway for itself', async () => {
  const [one, other] = gateways;
  assert.ok(one && other);
  const wanted = (gateway: TestGateway, model: string) =>
    gateway.metric(`sluice_model_servers_wanted{model="${model}"}`);
  assert.equal(await wanted(one, 'm'), 0);
  letHang(true);
  const ends = [
    hanging(one.url, 'm', 6),
    hanging(other.url, 'm', 2),
    hanging(one.url, 'full', 5),
    hanging(one.url, 'unmeasured', 1),
  ];
  await until(async () => (await wanted(one, 'm')) === 1.5 && (await wanted(other, 'm')) === 0.5);
  await until(async () => (await wanted(one, 'full')) === 2.5);
  await until(async () => (await one.metric('sluice_upstream_in_flight{upstream="unknown"}')) === 1);
  assert.ok(Number.isNaN(await wanted(one, 'unmeasured')), 'nobody has said what its server bears');
  for (const end of ends) end();
  await until(async () => (await wanted(one, 'm')) === 0 && (await wanted(one, 'full')) === 0);
  letHang(false);
});

test('a gateway that is killed is replaced by the other one within two intervals', async (t) => {
  gateways[0]?.process.kill('SIGKILL');
  const killedAtMs = performance.now();
  const tookMs = await Promise.all(
    simulators.map(async ({ state }) => {
      const next = state.counts.metrics_read + 1;
      await state.until(({ metrics_read }) => metrics_read >= next);
      return performance.now() - killedAtMs;
    }),
  );
  t.diagnostic(`asked again after ${tookMs.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  for (const ms of tookMs) assert.ok(ms < 6_000, `${ms} ms`);
});
