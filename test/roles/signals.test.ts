/** Which signal begins the end, which one hurries it, and which one is only an echo. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../support/gateway.ts';
import { exitOf, openStream, startInFront, startSimulator } from './support.ts';

/** A gateway with a running stream that has just begun its drain. */
async function startDraining(t: TestContext, tokens: number, end: 'SIGTERM' | 'SIGINT' | 'disconnect') {
  const { url } = await startSimulator(t);
  const gateway = await startInFront(t, url, { limit_seconds: 20, quiet_seconds: 0 });
  const stream = await openStream(gateway, tokens);
  if (end === 'disconnect') gateway.process.disconnect();
  else gateway.process.kill(end);
  await until(async () => (await fetch(`${gateway.adminUrl}/ready`)).status === 503, '/ready to be 503');
  return { gateway, text: stream.text.catch(() => 'cut') };
}

test('the same signal within a second counts once: the stream ends whole, with 0', async (t) => {
  const { gateway, text } = await startDraining(t, 50, 'SIGTERM');
  gateway.process.kill('SIGTERM');
  assert.ok((await text).endsWith('data: [DONE]\n\n'));
  assert.equal(await exitOf(gateway), 0);
});

test('another signal ends at once, with 1', async (t) => {
  const { gateway, text } = await startDraining(t, 10_000, 'SIGTERM');
  const startedAtMs = performance.now();
  gateway.process.kill('SIGINT');
  assert.equal(await exitOf(gateway), 1);
  assert.ok(performance.now() - startedAtMs < 1_000);
  assert.equal(await text, 'cut');
});

test('the same signal after more than a second ends at once, with 1', async (t) => {
  const { gateway, text } = await startDraining(t, 10_000, 'SIGINT');
  await pause(1_100);
  gateway.process.kill('SIGINT');
  assert.equal(await exitOf(gateway), 1);
  assert.equal(await text, 'cut');
});

test('a parent that is gone begins the same drain: the stream ends whole, with 0', async (t) => {
  const { gateway, text } = await startDraining(t, 50, 'disconnect');
  assert.ok((await text).endsWith('data: [DONE]\n\n'));
  assert.equal(await exitOf(gateway), 0);
});

test('a signal behind the loss of the parent ends at once, with 1', async (t) => {
  const { gateway, text } = await startDraining(t, 10_000, 'disconnect');
  gateway.process.kill('SIGTERM');
  assert.equal(await exitOf(gateway), 1);
  assert.equal(await text, 'cut');
});
