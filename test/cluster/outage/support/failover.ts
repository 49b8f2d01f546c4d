/** D4: what a failover looks like from outside, told by calls alone. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { until } from '../../../support/gateway.ts';
import { type Ground, isLong, TOLERANCE } from './ground.ts';
import { servedThroughout, settledBooks, untilLimitsAreGlobal, watchReady } from './judge.ts';
import { pause } from './load.ts';

const PER_SECOND = 100;
const ERRORS_MS = 5_000;

interface FailoverParts {
  /** What is killed is called back by the function that it returns. */
  killPrimary(): Promise<() => Promise<void>>;
  /** Where the books of the tenant lie now. */
  booksUrl(): Promise<string>;
}

/**
 * Fails over once, or five times in the long form, under load. A key that is known goes on throughout; one that no
 * replica has seen shows how long Redis was missed.
 */
export async function survivesFailovers(t: TestContext, ground: Ground, parts: FailoverParts): Promise<void> {
  const { load } = ground;
  const times = isLong ? 5 : 1;
  const known = await ground.caller('known', {
    limits: { max_concurrent: 300, requests_per_minute: 100_000 },
  });
  const fresh = [];
  for (let time = 0; time < times; time += 1) fresh.push(await ground.caller(`fresh ${time}`));
  await ground.warm([known]);
  const notReady = watchReady(t, ground.gateways);
  const end = load.begin(PER_SECOND, [known]);
  const killedAtMsOf: number[] = [];
  for (const caller of fresh) {
    await pause(500);
    const killedAtMs = performance.now();
    killedAtMsOf.push(killedAtMs);
    const bringBack = await parts.killPrimary();
    await until(
      async () => (await load.everywhere(caller)).every(({ status }) => status === 200),
      'a key that no replica has seen',
      TOLERANCE * ERRORS_MS,
    );
    const servedMs = performance.now() - killedAtMs;
    await untilLimitsAreGlobal(ground, ERRORS_MS);
    const decidedMs = performance.now() - killedAtMs;
    t.diagnostic(
      `new keys served after ${servedMs.toFixed(0)} ms, Redis decided after ${decidedMs.toFixed(0)}`,
    );
    assert.ok(decidedMs <= TOLERANCE * ERRORS_MS);
    await bringBack();
  }
  await end();

  assert.deepEqual(await notReady(), []);
  servedThroughout(t, load.of('known'));
  const others = load.calls.filter(({ name, status }) => name !== 'known' && status !== 200);
  t.diagnostic(`${others.length} calls of new keys were told to try again`);
  assert.deepEqual([...new Set(others.map(({ status }) => status))], others.length > 0 ? [503] : []);
  const { lines } = await settledBooks(t, ground, await parts.booksUrl());
  const booked = new Set(lines.map(({ request_id }) => request_id));
  const admitted = load.calls.filter(({ status }) => status === 200);
  // What the old primary had confirmed and not yet passed on is gone with it.
  const lost = admitted.filter(({ id }) => !booked.has(id));
  const missing = lost.length;
  t.diagnostic(`${admitted.length} admitted, ${missing} of them lost with the old primary`);
  for (const [time, killedAtMs] of killedAtMsOf.entries()) {
    const untilMs = killedAtMsOf[time + 1] ?? Number.POSITIVE_INFINITY;
    const late = lost.filter(({ sentAtMs }) => sentAtMs >= killedAtMs && sentAtMs < untilMs);
    if (late.length === 0) continue;
    const [first = 0, last = 0] = [late.at(0), late.at(-1)].map((call) => (call?.sentAtMs ?? 0) - killedAtMs);
    t.diagnostic(
      `lost: ${late.length} sent ${first.toFixed(0)} to ${last.toFixed(0)} ms after kill ${time + 1}`,
    );
  }
  assert.equal(booked.size, lines.length, 'a call was booked twice');
  assert.ok(missing <= (times * PER_SECOND) / 2, `${missing} calls are not in the books`);
}
