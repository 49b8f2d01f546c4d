/** The configuration changes under load, and no request fails: neither those in flight nor those that come. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import type { ConfigInput } from '../../src/config/schema.ts';
import type { TestGateway } from '../support/gateway.ts';
import { until } from '../support/gateway.ts';
import { hello } from '../upstream/support/caller.ts';
import { startReloading } from './reloading.ts';
import { openStream, startSimulator } from './support.ts';

const PER_SECOND = 200;
const CHANGES = 20;
const CALLS_BETWEEN = 40;

type Given = Omit<ConfigInput, 'secret'>;

/** Servers come, go, move to another address; weights, versions, caps, time-outs and prices change. */
function variant(urls: readonly string[], number: number): Given {
  const at = (index: number) => urls[index % urls.length] ?? '';
  const servers = [
    { name: 'moving', url: at(number), gpus: 1 + (number % 2) },
    { name: 'steady', url: at(0), labels: { round: String(number) } },
    ...(number % 3 === 0 ? [] : [{ name: 'guest', url: at(1) }]),
  ];
  const names = servers.map(({ name }) => name);
  const versions = [
    { name: 'stable', weight: 9, upstreams: names },
    { name: 'canary', weight: number % 5, upstreams: [{ name: 'moving', weight: 1 + number }] },
  ];
  return {
    upstreams: servers,
    models: [
      { name: 'm', ...(number % 2 === 0 ? { upstreams: names } : { versions }), sticky: 'key' },
      { name: 'other', upstreams: [names.at(-1) ?? ''], upstream_model: 'm', aliases: ['*'] },
    ],
    caps: { n: 1 + (number % 7) },
    timeouts: { total_ms: 60_000 + number, first_byte_ms: 30_000 },
  };
}

function steadyLoad(t: TestContext, { url, key }: TestGateway) {
  const agent = new Agent({ keepAlive: true });
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const results = new Map<string, number>();
  let begun = 0;
  let ended = 0;
  const call = () => {
    const model = begun++ % 2 === 0 ? 'm' : 'other';
    const end = (result: string) => {
      ended += 1;
      results.set(result, (results.get(result) ?? 0) + 1);
    };
    request(`${url}/v1/chat/completions`, { method: 'POST', agent, headers }, (answer) => {
      answer.resume().on('end', () => end(String(answer.statusCode)));
      answer.on('error', (error) => end(error.message));
    })
      .on('error', (error) => end(error.message))
      .end(JSON.stringify({ model, max_tokens: 2, messages: hello }));
  };
  const startedAtMs = performance.now();
  const timer = setInterval(() => {
    while (begun < ((performance.now() - startedAtMs) / 1_000) * PER_SECOND) call();
  }, 5);
  t.after(() => {
    clearInterval(timer);
    agent.destroy();
  });
  return {
    more: (count: number) => {
      const goal = ended + count;
      return until(() => ended >= goal, 'more calls', 30_000);
    },
    async stop() {
      clearInterval(timer);
      await until(() => ended === begun, 'the last calls', 30_000);
      return { results, total: ended, seconds: (performance.now() - startedAtMs) / 1_000 };
    },
  };
}

test('200 requests a second while the file changes 20 times, by signal and by command: none fails', async (t) => {
  const simulators = await Promise.all([1, 2, 3].map(() => startSimulator(t, { tokenMs: 10 })));
  const urls = simulators.map(({ url }) => url);
  const { gateway, write, reload, signal } = await startReloading(t, variant(urls, 0));
  const stream = await openStream(gateway, 300);
  const load = steadyLoad(t, gateway);
  await load.more(CALLS_BETWEEN);

  let slowestMs = 0;
  for (let number = 1; number <= CHANGES; number += 1) {
    await write(variant(urls, number));
    const begunAtMs = performance.now();
    if (number % 2 === 0) assert.ok(((await signal()).changes ?? []).length >= 2);
    else assert.equal((await reload()).status, 200);
    slowestMs = Math.max(slowestMs, performance.now() - begunAtMs);
    await load.more(CALLS_BETWEEN);
  }

  const { results, total, seconds } = await load.stop();
  const rate = (total / seconds).toFixed(0);
  const found = JSON.stringify(Object.fromEntries(results));
  t.diagnostic(`${total} calls at ${rate}/s: ${found}; slowest reload ${slowestMs.toFixed(0)} ms`);
  assert.deepEqual([...results.keys()], ['200']);
  assert.ok((await stream.text).endsWith('data: [DONE]\n\n'));
  const served = simulators.map(({ simulator }) => simulator.state.counts);
  assert.ok(served.every(({ running }) => running === 0));
});
