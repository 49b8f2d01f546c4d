/** P4: all servers fail, each in its own way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bounded, isLong } from '../outage/support/ground.ts';
import { inTime } from '../outage/support/judge.ts';
import { pause, summaryOf } from '../outage/support/load.ts';
import { openGround } from './support/ground.ts';
import { attemptCount, logFaults, movesText } from './support/judge.ts';

const REPLICAS = 2;
const PER_SECOND = 150;
const FAILING_MS = isLong ? 60_000 : 5_000;
const ATTEMPTS_PER_CALL = 1.2;

test(
  'while one server answers 500, one resets and one is gone, attempts stay under 1.2 times the calls, and each is answered in time',
  bounded,
  async (t) => {
    const ground = await openGround(t, { replicas: REPLICAS, pace: { tokens: 8, tokenMs: 0 } });
    const { load, servers } = ground;
    const caller = await ground.caller('acme');
    const endWell = load.begin(PER_SECOND, [caller]);
    await pause(500);
    await endWell();

    const [one, two, three] = servers;
    await Promise.all([one.harm({ status: 500 }), two.harm({ cut: 'reset' }), three.kill()]);
    const failingAtMs = performance.now();
    const end = load.begin(PER_SECOND, [caller]);
    await pause(FAILING_MS);
    await end();

    const calls = load.calls.filter(({ sentAtMs }) => sentAtMs >= failingAtMs);
    const ids = new Set(calls.map(({ id }) => id));
    const lines = (await ground.logLines()).filter(({ request_id }) => ids.has(String(request_id)));
    const perCall = attemptCount(lines) / calls.length;
    t.diagnostic(`${summaryOf(calls)}; ${perCall.toFixed(3)} attempts a call; moved on: ${movesText(lines)}`);
    assert.ok(calls.every(({ status }) => status >= 500));
    assert.ok(perCall < ATTEMPTS_PER_CALL);
    inTime(calls);
    assert.deepEqual(logFaults(calls, lines), []);
  },
);
