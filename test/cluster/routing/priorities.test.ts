/** Under overload the tenants of higher priority are served, and those of lower priority are shed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bounded, isLong } from '../outage/support/ground.ts';
import { pause, summaryOf } from '../outage/support/load.ts';
import { openGround } from './support/ground.ts';
import { goodputPerSecond, percentileMs } from './support/judge.ts';

const REPLICAS = 2;
const MAX_IN_FLIGHT = 4;
const PACE = { tokens: 20, tokenMs: 10 };
const CAPACITY = (3 * REPLICAS * MAX_IN_FLIGHT * 1_000) / (PACE.tokens * PACE.tokenMs);
const DURATION_MS = isLong ? 60_000 : 4_000;

test(
  'while tenants of low priority ask for three times the pool, each call of a high one is served',
  bounded,
  async (t) => {
    const ground = await openGround(t, {
      ...{ replicas: REPLICAS, pace: PACE, maxInFlight: MAX_IN_FLIGHT },
      config: { waiting: { calls_max: 16, seconds_max: 5 } },
    });
    const { load, gateways } = ground;
    for (const priority of ['low', 'high']) {
      const made = await gateways[0]?.admin('POST', '/tenants', { name: priority, priority });
      assert.equal(made?.status, 201);
    }
    const [low, high] = [await ground.caller('low'), await ground.caller('high')];
    const beganMs = performance.now();
    const ends = [load.begin(3 * CAPACITY, [low]), load.begin(CAPACITY / 2, [high])];
    await pause(DURATION_MS);
    const endedMs = performance.now();
    await Promise.all(ends.map((end) => end()));

    const of = (name: string) => load.of(name).filter(({ sentAtMs }) => sentAtMs >= beganMs);
    const goodput = (name: string) => goodputPerSecond(of(name), beganMs + 500, endedMs).toFixed(0);
    for (const name of ['high', 'low']) {
      const served = of(name).filter(({ status }) => status === 200);
      t.diagnostic(
        `${name}: ${summaryOf(of(name))}; ${goodput(name)}/s, p50 ${percentileMs(served, 0.5).toFixed(0)} ms, p99 ${percentileMs(served, 0.99).toFixed(0)} ms`,
      );
    }
    assert.ok(of('high').length > 0);
    assert.deepEqual(
      of('high').filter(({ status }) => status !== 200),
      [],
    );
    const shed = of('low').filter(({ status }) => status !== 200);
    assert.ok(shed.length > of('low').length / 2);
    assert.deepEqual([...new Set(shed.map(({ status, code }) => `${status} ${code}`))], ['503 overloaded']);
    assert.ok(Number(goodput('low')) > CAPACITY / 4, 'what the high ones leave goes to the low ones');
  },
);
