/** Tokens come at their times. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hello, post, rawCall, startSimulator } from './support/simulator.ts';

const path = '/v1/chat/completions';
/** Timers and performance.now may differ by a little. */
const SLACK_MS = 3;

test('the first token waits, the others follow one by one, the headers do not wait', async (t) => {
  const { url } = await startSimulator(t, { firstTokenMs: 60, tokenMs: 15, tokens: 6 });
  const startedMs = performance.now();
  const response = await post(url + path, { ...hello, stream: true });
  const headersMs = performance.now() - startedMs;
  const arrivals: number[] = [];
  for await (const _ of response.body ?? []) arrivals.push(performance.now() - startedMs);
  assert.ok((arrivals[0] ?? 0) >= 60 - SLACK_MS, `first after ${arrivals[0]} ms`);
  assert.ok((arrivals.at(-1) ?? 0) >= 60 + 5 * 15 - SLACK_MS, `last after ${arrivals.at(-1)} ms`);
  assert.ok(headersMs < (arrivals[0] ?? 0), `headers after ${headersMs} ms`);
  assert.ok(arrivals.length > 1, 'more than one piece');
});

test('an answer that does not stream takes the time of all its tokens', async (t) => {
  const { url } = await startSimulator(t, { firstTokenMs: 20, tokenMs: 10, tokens: 5 });
  const startedMs = performance.now();
  await (await post(url + path, hello)).text();
  assert.ok(performance.now() - startedMs >= 20 + 4 * 10 - SLACK_MS);
});

test('a thousand streams keep their pace together', async (t) => {
  const { url, state } = await startSimulator(t, { tokenMs: 50, tokens: 5 });
  const startedMs = performance.now();
  const texts = await Promise.all(
    Array.from({ length: 1_000 }, async () => (await post(url + path, { ...hello, stream: true })).text()),
  );
  const tookMs = performance.now() - startedMs;
  t.diagnostic(`1,000 streams of 5 tokens at 50 ms took ${tookMs.toFixed()} ms (200 ms each alone)`);
  assert.ok(texts.every((text) => text.endsWith('data: [DONE]\n\n')));
  assert.equal(state.counts.finished, 1_000);
  assert.ok(tookMs < 15_000);
});

test('a client that does not read holds up its own stream, and nobody else', async (t) => {
  const { url, state } = await startSimulator(t);
  state.addFault({ answer_bytes: 200_000_000, calls: 2 });
  const stuck = await Promise.all([true, false].map((stream) => rawCall(url, { ...hello, stream })));
  for (const { socket } of stuck) socket.pause();
  await state.until(({ started }) => started === 2);
  assert.equal((await post(url + path, hello)).status, 200);
  // Written without regard to the reader, both would be over.
  assert.equal(state.counts.running, 2);
  for (const { socket } of stuck) socket.destroy();
  await state.until(({ running, cancelled }) => running === 0 && cancelled === 2);
});
