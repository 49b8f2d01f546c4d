/** The faults of a whole server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hello, json, post, rawCall, startSimulator } from './support/simulator.ts';

const path = '/v1/chat/completions';

test('frozen, it accepts connections and answers nothing; thawed, all answers come', async (t) => {
  const { url, state } = await startSimulator(t, { tokenMs: 5, tokens: 200 });
  const running = await rawCall(url, { ...hello, stream: true });
  await running.until((text) => text.includes('simulated'));
  state.turn({ freeze: true });
  const seen = running.text().length;
  const answered: string[] = [];
  const ask = async (name: string, answer: Promise<Response>) => {
    await (await answer).text();
    answered.push(name);
  };
  const asked = [
    ask('health', fetch(`${url}/health`)),
    ask('metrics', fetch(`${url}/metrics`)),
    ask('chat', post(url + path, { ...hello, max_tokens: 1 })),
  ];
  await state.until(({ connections }) => connections === 4);
  const control = await json(fetch(`${url}/sim/state`));
  assert.equal(control.running, 1);
  assert.deepEqual(answered, []);
  assert.equal(running.text().length, seen);
  state.turn({ freeze: false });
  await Promise.all(asked);
  assert.deepEqual(answered.toSorted(), ['chat', 'health', 'metrics']);
  await running.until((text) => text.includes('[DONE]'));
  running.socket.destroy();
});

test('without metrics, /metrics is not there and the rest is', async (t) => {
  const { url, state } = await startSimulator(t);
  state.turn({ no_metrics: true });
  assert.equal((await fetch(`${url}/metrics`)).status, 404);
  assert.equal((await fetch(`${url}/health`)).status, 200);
  state.clearFaults();
  assert.equal((await fetch(`${url}/metrics`)).status, 200);
  assert.equal(state.counts.metrics_read, 1);
});

test('unhealthy, /health says 503 and calls are served', async (t) => {
  const { url, state } = await startSimulator(t);
  state.turn({ unhealthy: true });
  assert.equal((await fetch(`${url}/health`)).status, 503);
  assert.equal((await post(url + path, hello)).status, 200);
  state.clearFaults();
  assert.equal((await fetch(`${url}/health`)).status, 200);
});
