/** What the cache keeps has a lifetime and a size, and without Redis calls go past it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { assertRefused } from '../client.ts';
import { ask, house, prompt } from './house.ts';

const ANSWER_BYTES_MAX = 2_000;
const ANSWER_MS_MAX = 500;

const at = house(
  { response_cache: { answer_bytes_max: ANSWER_BYTES_MAX, tenant_bytes_max: 4_000 } },
  { tokens: 2 },
  2,
);

async function ofCache(text: string, headers: Record<string, string> = {}) {
  const fields = { model: 'cached', temperature: 0, ...prompt(text) };
  const reply = await ask(at.one, { key: at.key, headers, fields });
  assert.equal(reply.status, 200, reply.body.toString());
  return { result: reply.headers['x-cache'], bytes: reply.body.length, tookMs: reply.tookMs };
}

const isHit = (text: string) => async () => (await ofCache(text)).result === 'hit';

test('an answer serves for the lifetime of its model', async () => {
  await ofCache('short');
  await until(isHit('short'), 'a hit');
  await until(async () => !(await isHit('short')()), 'its end');
});

test('an answer over the size is passed on whole and not kept', async () => {
  at.simulator.state.addFault({ prompt: 'long', tokens: 2_000 });
  for (let times = 0; times < 3; times += 1) {
    const { result, bytes } = await ofCache('long');
    assert.ok(bytes > ANSWER_BYTES_MAX);
    assert.equal(result, 'miss');
  }
  at.simulator.state.clearFaults();
});

test('a tenant that keeps more than its bound loses what ends first', async () => {
  const names = Array.from({ length: 12 }, (_, index) => `entry ${index}`);
  for (const name of names) await ofCache(name);
  assert.equal((await ofCache('entry 0')).result, 'miss');
  await until(isHit('entry 0'), 'the newest');
});

test('with Redis frozen a call goes past the cache in time, and an Idempotency-Key gets 503', async (context) => {
  await ofCache('frozen');
  at.redis.pause();
  let slowestMs = 0;
  const bypassed = await ofCache('frozen');
  assert.equal(bypassed.result, 'bypass');
  for (let times = 0; times < 2; times += 1) {
    const headers = { 'idempotency-key': 'frozen' };
    const reply = await ask(at.one, { key: at.key, headers, fields: prompt('frozen') });
    assertRefused(reply, 'store_unavailable');
    assert.equal(reply.headers['retry-after'], '1');
    slowestMs = Math.max(slowestMs, reply.tookMs);
  }
  context.diagnostic(
    `slowest 503: ${slowestMs.toFixed(0)} ms, slowest bypass ${bypassed.tookMs.toFixed(0)} ms`,
  );
  at.redis.resume();
  assert.ok(slowestMs < 3 * ANSWER_MS_MAX && bypassed.tookMs < 3 * ANSWER_MS_MAX);
  await until(isHit('frozen again'), 'the cache to be back');
});
