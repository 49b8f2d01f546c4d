import assert from 'node:assert/strict';
import { test } from 'node:test';
import { place, probing, traffic, untilState } from './ground.ts';

test('a server that fails calls and praises itself is out after five, and in use within ten seconds of healing', async (t) => {
  const places = [await place(t, 'a'), await place(t, 'b'), await place(t, 'c')] as const;
  const upstreams = places.map(({ upstream }) => upstream);
  await probing(t, upstreams);
  const [{ upstream, simulator }] = places;
  // One after the other, so that none is under way when the fifth has failed.
  const calls = traffic(t, upstreams, 40);
  const before = calls.sentTo(upstream);
  simulator.state.addFault({ status: 500 });
  await untilState(upstream, ['ejected'], 9);
  const failed = calls.sentTo(upstream) - before;
  await untilState(upstream, ['trial'], 20);
  // The first trial fails as well: it costs one call.
  const untilTrial = calls.sentTo(upstream);
  assert.equal(untilTrial - before, failed, 'no call while it is out');
  await untilState(upstream, ['ejected'], 20);
  assert.equal(calls.sentTo(upstream) - untilTrial, 1);

  simulator.state.clearFaults();
  const backSeconds = await untilState(upstream, ['up'], 30);
  t.diagnostic(`out after ${failed} calls, back ${backSeconds.toFixed(2)} s after healing`);
  assert.ok(failed <= 6 && backSeconds <= 10, `${failed} ${backSeconds}`);
});
