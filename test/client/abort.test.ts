/** The official client's abort reaches the GPU server at once, before the answer and in the middle of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { simulated } from '../upstream/support/simulated.ts';
import { messages, model, officialClient } from './official.ts';

const house = simulated({}, { tokens: 5_000, tokenMs: 10 });

async function serverIsIdle(): Promise<number> {
  const startedAtMs = performance.now();
  await house.simulator.state.until(({ running }) => running === 0);
  return performance.now() - startedAtMs;
}

test('a call that is waited for', async () => {
  const controller = new AbortController();
  const openai = officialClient(house.gateway);
  const call = openai.chat.completions.create({ model, messages }, { signal: controller.signal });
  const refused = assert.rejects(call, OpenAI.APIUserAbortError);
  await house.simulator.state.until(({ running }) => running === 1);
  controller.abort();
  await refused;
  assert.ok((await serverIsIdle()) < 200);
});

test('a stream, by its controller and by leaving the loop', async () => {
  const openai = officialClient(house.gateway);
  for (const leave of ['controller', 'loop']) {
    const stream = await openai.chat.completions.create({ model, messages, stream: true });
    let chunks = 0;
    for await (const { choices } of stream) {
      assert.equal(choices.length, 1);
      chunks += 1;
      if (chunks === 5 && leave === 'controller') stream.controller.abort();
      if (chunks === 5 && leave === 'loop') break;
    }
    assert.ok((await serverIsIdle()) < 200, leave);
  }
  const { started, cancelled } = house.simulator.state.counts;
  assert.equal(cancelled, started);
});
