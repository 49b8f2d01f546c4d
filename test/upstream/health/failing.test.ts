import assert from 'node:assert/strict';
import { test } from 'node:test';
import { place, probing, traffic, untilState } from './ground.ts';

/** Three times what holds on a machine that has nothing else to do: some are under way when the fifth has failed. */
const FAILED_MAX = 15;
const BACK_SECONDS_MAX = 30;

test('a server that fails calls and praises itself is out after five, and in use within ten seconds of healing', async (t) => {
  const places = [await place(t, 'a'), await place(t, 'b'), await place(t, 'c')] as const;
  const upstreams = places.map(({ upstream }) => upstream);
  await probing(t, upstreams);
  const [{ upstream, simulator }] = places;
  const calls = traffic(t, upstreams, 40);
  const before = calls.sentTo(upstream);
  simulator.state.addFault({ status: 500 });
  await untilState(upstream, ['ejected'], 9);
  const failed = calls.sentTo(upstream) - before;
  while (calls.sentTo(upstream) - before === failed) await new Promise((resolve) => setTimeout(resolve, 5));
  await untilState(upstream, ['ejected'], 9);
  assert.equal(
    calls.sentTo(upstream) - before,
    failed + 1,
    'the first trial fails as well and costs one call',
  );

  simulator.state.clearFaults();
  const backSeconds = await untilState(upstream, ['up'], BACK_SECONDS_MAX);
  t.diagnostic(`out after ${failed} calls, back ${backSeconds.toFixed(2)} s after healing`);
  assert.equal(upstream.serverHealth.ejections.errors, 1);
  assert.ok(failed <= FAILED_MAX, `${failed}`);
});
