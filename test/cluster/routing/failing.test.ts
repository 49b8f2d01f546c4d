/** P4: one of three servers fails its calls while its probes are answered well. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bounded, isLong, TOLERANCE } from '../outage/support/ground.ts';
import { pause, summaryOf } from '../outage/support/load.ts';
import { openGround } from './support/ground.ts';
import { attemptCount, attemptsOf, failedShare, logFaults, movesText, sentFaults } from './support/judge.ts';

const REPLICAS = 2;
const PER_SECOND = 150;
const ILL_MS = isLong ? 60_000 : 1_000;
const FAILURES_MAX = 5;
const EJECTED_MS = 3_000;
const BACK_MS = 10_000;
const FAILED_SHARE = 0.01;

test(
  'a server that answers 500 or resets is out after five failures, hardly a caller hears of it, and healed it is back within ten seconds',
  bounded,
  async (t) => {
    const ground = await openGround(t, { replicas: REPLICAS, pace: { tokens: 8, tokenMs: 0 } });
    const { load, servers } = ground;
    const [ill] = servers;
    const end = load.begin(PER_SECOND, [await ground.caller('acme')]);
    await pause(1_000);
    assert.equal(failedShare(load.calls), 0);

    const illAtMs = performance.now();
    await ill.harm({ status: 500, prompt: 'even' }, { cut: 'reset', prompt: 'odd' });
    const ejectedMs = await ground.untilState(ill, (state) => state === 'ejected', TOLERANCE * EJECTED_MS);
    const ejectedAtMs = performance.now();
    await pause(ILL_MS);
    await ill.heal();
    const had = (await ill.counts()).started;
    const backMs = await ground.untilState(ill, (state) => state === 'up', TOLERANCE * BACK_MS);
    await pause(500);
    assert.ok((await ill.counts()).started > had, 'it has calls again');
    await end();

    const lines = await ground.logLines();
    const before = load.calls.filter(({ sentAtMs }) => sentAtMs < ejectedAtMs).map(({ id }) => id);
    const failures = lines
      .filter(({ request_id }) => before.includes(String(request_id)))
      .filter((line) => attemptsOf(line).some(([name, what]) => name === ill.name && what !== '200')).length;
    const since = load.calls.filter(({ sentAtMs }) => sentAtMs >= ejectedAtMs);
    t.diagnostic(`out after ${failures} failed calls on ${REPLICAS} replicas, ${ejectedMs.toFixed(0)} ms`);
    t.diagnostic(`since the fault: ${summaryOf(load.calls.filter(({ sentAtMs }) => sentAtMs >= illAtMs))}`);
    t.diagnostic(`since the ejection: ${summaryOf(since)}; back ${backMs.toFixed(0)} ms after healing`);
    t.diagnostic(`moved on: ${movesText(lines)}`);
    assert.ok(failures <= TOLERANCE * REPLICAS * FAILURES_MAX, `${failures}`);
    assert.ok(failedShare(since) < FAILED_SHARE);
    assert.ok(attemptCount(lines) < 1.2 * lines.length);
    assert.deepEqual(logFaults(load.calls, lines), []);
    for (const server of servers) {
      assert.deepEqual(sentFaults(lines, server.name, (await server.counts()).started), []);
    }
  },
);
