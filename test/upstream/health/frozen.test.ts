import assert from 'node:assert/strict';
import { test } from 'node:test';
import { place, probing, traffic, untilState } from './ground.ts';

/** Three times what holds on a machine that has nothing else to do. */
const EJECTED_SECONDS_MAX = 9;
const BACK_SECONDS_MAX = 30;

test('a frozen server is ejected within three seconds, and is in use again within ten of thawing', async (t) => {
  const places = [await place(t, 'a'), await place(t, 'b'), await place(t, 'c')] as const;
  const upstreams = places.map(({ upstream }) => upstream);
  const frozen: string[] = [];
  await probing(t, upstreams, { frozen: ({ name }) => void frozen.push(name) });
  const [{ upstream, simulator }] = places;
  const calls = traffic(t, upstreams, 50);

  simulator.state.turn({ freeze: true });
  const ejectedSeconds = await untilState(upstream, ['down'], EJECTED_SECONDS_MAX);
  assert.deepEqual(frozen, ['a'], 'whoever waits there is to be told');
  assert.equal(upstream.serverHealth.lastReason, 'frozen');
  const sent = calls.sentTo(upstream);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.equal(calls.sentTo(upstream), sent, 'nothing goes to a frozen server');

  simulator.state.turn({ freeze: false });
  const backSeconds = await untilState(upstream, ['up'], BACK_SECONDS_MAX);
  t.diagnostic(
    `ejected after ${ejectedSeconds.toFixed(2)} s, back ${backSeconds.toFixed(2)} s after thawing`,
  );
  assert.deepEqual(
    upstreams.map(({ serverHealth }) => serverHealth.state(performance.now())),
    ['up', 'up', 'up'],
  );
});
