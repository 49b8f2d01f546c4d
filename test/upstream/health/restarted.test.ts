import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSimulator } from '../../../src/simulator/server.ts';
import { place, probing, traffic, untilState } from './ground.ts';

/** Three times what holds on a machine that has nothing else to do. */
const DOWN_SECONDS_MAX = 6;
const BACK_SECONDS_MAX = 30;

test('a server that goes away is down within two seconds, and back within ten of answering well', async (t) => {
  const places = [await place(t, 'a'), await place(t, 'b')] as const;
  const upstreams = places.map(({ upstream }) => upstream);
  const states: string[] = [];
  const frozen: string[] = [];
  await probing(t, upstreams, {
    stateChanged: ({ upstream, to }) => void states.push(`${upstream} ${to}`),
    frozen: ({ name }) => void frozen.push(name),
  });
  const [{ upstream, simulator }] = places;
  await simulator.close();
  const downSeconds = await untilState(upstream, ['down'], DOWN_SECONDS_MAX);
  assert.equal(upstream.serverHealth.lastReason, 'unreachable');

  // As a server does that loads its model.
  const next = createSimulator();
  next.state.turn({ unhealthy: true });
  await next.listen('127.0.0.1', Number(new URL(upstream.origin).port));
  t.after(() => next.close());
  while (upstream.health !== 'unhealthy') await new Promise((resolve) => setTimeout(resolve, 5));
  traffic(t, upstreams, 50);
  assert.equal(upstream.serverHealth.state(performance.now()), 'down');
  next.state.turn({ unhealthy: false });
  const backSeconds = await untilState(upstream, ['up'], BACK_SECONDS_MAX);
  t.diagnostic(`down after ${downSeconds.toFixed(2)} s, back after ${backSeconds.toFixed(2)} s`);
  assert.deepEqual(frozen, [], 'a server that refuses may still finish what it has');
  assert.ok(states.includes('a down') && states[0]?.endsWith(' up'), states.join());
});
