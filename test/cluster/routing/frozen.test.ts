/** P4: one of three servers freezes at 200 requests a second. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bounded, isLong, TOLERANCE } from '../outage/support/ground.ts';
import { pause, slowestMs, summaryOf } from '../outage/support/load.ts';
import { openGround } from './support/ground.ts';
import { attemptCount, attemptsOf, failedShare, logFaults, movesText, sentFaults } from './support/judge.ts';

const REPLICAS = 2;
const PER_SECOND = 200;
const FROZEN_MS = isLong ? 60_000 : 3_500;
const EJECTED_MS = 3_000;
const BACK_MS = 10_000;
const FAILED_SHARE = 0.01;

test(
  'a frozen server is out within three seconds, who waited there is served elsewhere, and thawed it is back within ten',
  bounded,
  async (t) => {
    const ground = await openGround(t, { replicas: REPLICAS, pace: { tokens: 10, tokenMs: 10 } });
    const { load, servers } = ground;
    const [frozen, ...others] = servers;
    const end = load.begin(PER_SECOND, [await ground.caller('acme')]);
    await pause(1_000);

    const frozenAtMs = performance.now();
    frozen.freeze();
    const outMs = await ground.untilState(frozen, (state) => state === 'down', TOLERANCE * EJECTED_MS);
    await pause(FROZEN_MS - outMs);
    frozen.thaw();
    const backMs = await ground.untilState(frozen, (state) => state === 'up', TOLERANCE * BACK_MS);
    const had = (await frozen.counts()).finished;
    await pause(500);
    assert.ok((await frozen.counts()).finished > had, 'it has calls again');
    await end();

    const lines = await ground.logLines();
    const since = load.calls.filter(({ sentAtMs }) => sentAtMs >= frozenAtMs);
    const moved = lines.filter((line) => attemptsOf(line).some(([, what]) => what === 'frozen')).length;
    t.diagnostic(`out after ${outMs.toFixed(0)} ms, back ${backMs.toFixed(0)} ms after thawing`);
    t.diagnostic(
      `since it froze: ${summaryOf(since)}; ${moved} calls moved, slowest ${slowestMs(since).toFixed(0)} ms`,
    );
    t.diagnostic(`moved on: ${movesText(lines)}`);
    assert.ok(moved > 0);
    assert.ok(failedShare(since) < FAILED_SHARE);
    assert.ok(slowestMs(since) < TOLERANCE * EJECTED_MS);
    assert.ok(attemptCount(lines) < 1.2 * lines.length);
    assert.deepEqual(logFaults(load.calls, lines), []);
    for (const server of others) {
      assert.deepEqual(sentFaults(lines, server.name, (await server.counts()).started), []);
    }
  },
);
