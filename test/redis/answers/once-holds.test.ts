/** A replica keeps what it runs, brings every end to Redis even if that was away, and gives back what it leaves. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { OnceRequests } from '../../../src/admission/once.ts';
import { until } from '../../support/gateway.ts';
import { answerOf, openGround, TENANT, taken } from './ground.ts';

const LEASE_MS = 300;

async function open(t: TestContext, answerBytesMax = 1_000) {
  const ground = await openGround(t);
  const results: string[] = [];
  const requests = new OnceRequests({
    table: ground.once({ leaseMs: LEASE_MS }),
    everyMs: 20,
    answerBytesMax,
    onResult: (result) => void results.push(result),
  });
  requests.start();
  t.after(() => requests.stop());
  const begin = async () => taken(await requests.begin(TENANT, 'key', 'request'));
  const held = async () => {
    const begun = await begin();
    if (begun.kind !== 'begun') throw new Error(begun.kind);
    return begun.held;
  };
  return { ...ground, requests, results, begin, held };
}

test('a request that runs for longer than a lease is held all the while', async (t) => {
  const { begin, held } = await open(t);
  const hold = await held();
  await until(async () => {
    const begun = await begin();
    assert.equal(begun.kind, 'running');
    return begun.kind === 'running' && begun.forMs > 3 * LEASE_MS;
  });
  await hold.finish(answerOf('x'));
  assert.equal((await begin()).kind, 'finished');
});

test('an end that Redis did not take is written when it is back, though the lease is over', async (t) => {
  const { begin, held, redis, requests, results } = await open(t);
  const hold = await held();
  redis.pause();
  // From then on nothing is sent; what was sent before would run later.
  await until(async () => {
    const beganAtMs = performance.now();
    const answer = await requests.begin(TENANT, 'another', 'request');
    return !answer.ok && performance.now() - beganAtMs < 10;
  }, 'Redis to be known to be away');
  await hold.finish(answerOf('late'));
  redis.resume();
  await until(async () => {
    const answer = await requests.begin(TENANT, 'key', 'request');
    return answer.ok && answer.value.kind === 'finished';
  }, 'the end');
  assert.deepEqual((await begin()).kind, 'finished');
  assert.ok(results.includes('unavailable'));
});

test('what still runs when the replica ends is free at once', async (t) => {
  const { begin, held, requests } = await open(t);
  await held();
  await requests.stop();
  assert.equal((await begin()).kind, 'begun');
});

test('an answer over the size is not kept, and the first end counts', async (t) => {
  const { begin, held } = await open(t, 10);
  const hold = await held();
  await hold.finish(answerOf('x'.repeat(11)));
  await hold.free();
  assert.deepEqual(await begin(), { kind: 'finished', answer: undefined });
});
