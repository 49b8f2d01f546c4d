/** When a client leaves, nothing runs for it any more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hello, post, rawCall, startSimulator } from './support/simulator.ts';

const path = '/v1/chat/completions';

test('a hundred clients that leave at any moment leave nothing running', async (t) => {
  const { url, state } = await startSimulator(t, { firstTokenMs: 30, tokenMs: 10, tokens: 10_000 });
  const leaving: AbortController[] = [];
  const calls = Array.from({ length: 100 }, async (_, index) => {
    const controller = new AbortController();
    leaving.push(controller);
    const response = await post(
      url + path,
      { ...hello, stream: index % 2 === 0 },
      { signal: controller.signal },
    );
    const reader = response.body?.getReader();
    for (let piece = 0; piece < index % 5; piece++) await reader?.read();
    controller.abort();
  });
  const ended = Promise.allSettled(calls);
  await state.until(({ running, cancelled }) => running + cancelled === 100);
  const leftMs = performance.now();
  for (const controller of leaving) controller.abort();
  await state.until(({ running }) => running === 0);
  t.diagnostic(`nothing ran ${(performance.now() - leftMs).toFixed()} ms after the last one left`);
  assert.equal(state.counts.cancelled, 100);
  await ended;
});

test('a client that sends FIN is gone, as one that resets is', async (t) => {
  const { url, state } = await startSimulator(t, { tokenMs: 10, tokens: 10_000 });
  const leaver = await rawCall(url, { ...hello, stream: true });
  await leaver.until((text) => text.includes('simulated'));
  leaver.socket.end();
  await state.until(({ running, cancelled }) => running === 0 && cancelled === 1);
  const resetter = await rawCall(url, hello);
  await state.until(({ running }) => running === 1);
  resetter.socket.resetAndDestroy();
  await state.until(({ running, cancelled }) => running === 0 && cancelled === 2);
});

test('a client that sends FIN and reads no more is gone, with an answer in the pipe', async (t) => {
  const { url, state } = await startSimulator(t);
  state.addFault({ answer_bytes: 100_000_000 });
  const call = await rawCall(url, { ...hello, stream: true });
  call.socket.pause();
  await state.until(({ running }) => running === 1);
  call.socket.end();
  await state.until(({ running, cancelled }) => running === 0 && cancelled === 1);
  call.socket.destroy();
});

test('an answer that was sent in full is finished, not cancelled', async (t) => {
  const { url, state } = await startSimulator(t);
  for (const stream of [true, false]) await (await post(url + path, { ...hello, stream })).text();
  assert.deepEqual([state.counts.finished, state.counts.cancelled, state.counts.running], [2, 0, 0]);
});
