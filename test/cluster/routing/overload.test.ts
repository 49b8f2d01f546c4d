/** P7: four times the load that the pool can bear. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { bounded, isLong, TOLERANCE } from '../outage/support/ground.ts';
import { pause, summaryOf } from '../outage/support/load.ts';
import { openGround } from './support/ground.ts';
import { badForMs, goodputPerSecond, logFaults, percentileMs, sentFaults } from './support/judge.ts';

const REPLICAS = 2;
const MAX_IN_FLIGHT = 4;
const PACE = { tokens: 40, tokenMs: 10 };
/** Of all three servers, in calls a second: what they would reach if no time passed between two calls. */
const CAPACITY = (3 * REPLICAS * MAX_IN_FLIGHT * 1_000) / (PACE.tokens * PACE.tokenMs);
/** The first answers come later than the first calls. */
const SETTLING_MS = 600;
const PEAK_MS = isLong ? 20_000 : 2_600;
const OVERLOAD_MS = isLong ? 120_000 : 3_600;

const GOODPUT_LOSS = 0.1;
const REFUSED_MS = 50;
const RECOVERED_MS = 5_000;
/** So many good answers in a row, to calls of so short a time, and nothing else: it has recovered. */
const CALM_CALLS = 10;
const CALM_MS = 1_200;
const WATCH_EVERY_MS = 10;
const GROWTH_BYTES = 64 * 1024 * 1024;
/** Of a call that does not wait. */
const USUAL_MS = 3 * PACE.tokens * PACE.tokenMs;

test(
  'under four times its capacity a pool does at least nine tenths of its best, refuses the rest at once, and recovers',
  bounded,
  async (t) => {
    const ground = await openGround(t, {
      ...{ replicas: REPLICAS, pace: PACE, maxInFlight: MAX_IN_FLIGHT },
      config: { waiting: { calls_max: 16, seconds_max: 2 } },
    });
    const { load, gateways, servers } = ground;
    const caller = await ground.caller('acme');
    const residentBytes = () => gateways.map(({ process: { pid } }) => rssBytes(Number(pid)));
    const run = async (perSecond: number, durationMs: number) => {
      const beganMs = performance.now();
      const end = load.begin(perSecond, [caller]);
      await pause(durationMs);
      const endedMs = performance.now();
      return { beganMs, endedMs, end, goodput: goodputPerSecond(load.calls, beganMs + SETTLING_MS, endedMs) };
    };

    const peak = await run(1.2 * CAPACITY, PEAK_MS);
    await peak.end();
    const beforeBytes = residentBytes();
    const slowestAnswer = watch(() => servers[0].counts());
    const over = await run(4 * CAPACITY, OVERLOAD_MS);
    const heldUpMs = await slowestAnswer();
    const growth = residentBytes().map((bytes, index) => bytes - (beforeBytes[index] ?? 0));
    const ended = over.end();
    const endAfter = load.begin(0.5 * CAPACITY, [caller]);
    const isWell = () => {
      const nowMs = performance.now();
      const ofLate = load.calls.filter(({ sentAtMs }) => sentAtMs >= Math.max(over.endedMs, nowMs - CALM_MS));
      return ofLate.length >= CALM_CALLS && badForMs(ofLate, 0, USUAL_MS) === 0;
    };
    await until(isWell, 'the pool to recover', TOLERANCE * RECOVERED_MS);
    await Promise.all([ended, endAfter()]);

    const during = load.calls.filter(({ sentAtMs }) => sentAtMs >= over.beganMs && sentAtMs < over.endedMs);
    const refused = during.filter(({ status }) => status !== 200);
    const refusedMs = percentileMs(refused, 0.99);
    const recoveredMs = badForMs(load.calls, over.endedMs, USUAL_MS);
    const share = over.goodput / peak.goodput;
    t.diagnostic(
      `best ${peak.goodput.toFixed(0)}/s of ${CAPACITY}; under overload ${over.goodput.toFixed(0)}/s (${(100 * share).toFixed(0)} %)`,
    );
    t.diagnostic(
      `${summaryOf(during)}; refused in ${percentileMs(refused, 0.5).toFixed(1)} ms (p50), ${refusedMs.toFixed(1)} ms (p99); others of the machine's processes took up to ${heldUpMs.toFixed(0)} ms`,
    );
    t.diagnostic(
      `recovered after ${recoveredMs.toFixed(0)} ms; grown by ${growth.map(megabytes).join(', ')}`,
    );
    assert.ok(share >= 1 - TOLERANCE * GOODPUT_LOSS, `${share} of its best`);
    assert.ok(refused.length > 0);
    assert.deepEqual(
      [...new Set(refused.map(({ status, code }) => `${status} ${code}`))],
      ['503 overloaded'],
    );
    assert.ok(refusedMs <= TOLERANCE * REFUSED_MS + heldUpMs, `${refusedMs} ms`);
    for (const bytes of growth) assert.ok(bytes < GROWTH_BYTES, megabytes(bytes));
    const lines = await ground.logLines();
    assert.deepEqual(logFaults(load.calls, lines), []);
    for (const server of servers) {
      assert.deepEqual(sentFaults(lines, server.name, (await server.counts()).started), []);
    }
  },
);

/** How long a process that has nothing to do with the overload takes to answer: then it is the machine that is slow. */
function watch(ask: () => Promise<unknown>): () => Promise<number> {
  let slowestMs = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const askedAtMs = performance.now();
      await ask();
      slowestMs = Math.max(slowestMs, performance.now() - askedAtMs);
      await pause(WATCH_EVERY_MS);
    }
  })();
  return () => {
    isOver = true;
    return watching.then(() => slowestMs);
  };
}

function rssBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
