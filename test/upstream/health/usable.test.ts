import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerHealth } from '../../../src/upstream/health/server-health.ts';
import { usable } from '../../../src/upstream/health/usable.ts';

const NOW = 1_000_000;

function member(...what: ('ejected' | 'down' | 'draining')[]) {
  const serverHealth = new ServerHealth();
  serverHealth.probed('ok', NOW);
  if (what.includes('ejected')) {
    for (let times = 0; times < 5; times += 1) serverHealth.failed(serverHealth.began(NOW), 'status', NOW);
  }
  if (what.includes('down')) for (const _ of [1, 2]) serverHealth.probed('refused', NOW);
  if (what.includes('draining')) serverHealth.setDraining(true, NOW);
  return { upstream: { serverHealth } };
}

test('calls go to usable servers while there is one', () => {
  const up = member();
  assert.deepEqual(usable([member('ejected'), up, member('down'), member('draining')], NOW), [up]);
  const pool = [up, member()];
  assert.equal(usable(pool, NOW), pool, 'nothing is copied where all are well');
});

test('where none is usable, those are offered that answer their probes, else those that do not', () => {
  const ejected = member('ejected');
  const down = member('down', 'ejected');
  assert.deepEqual(usable([down, ejected, member('draining')], NOW), [ejected]);
  assert.deepEqual(usable([down, member('draining')], NOW), [down]);
});

test('the last server in trial takes more than one call at a time', () => {
  const trial = member('ejected');
  trial.upstream.serverHealth.began(NOW + 5_000);
  assert.equal(trial.upstream.serverHealth.isUsable(NOW + 5_000), false);
  assert.deepEqual(usable([trial, member('down')], NOW + 5_000), [trial]);
});

test('a drained server is never offered, not even the last', () => {
  assert.deepEqual(usable([member('draining'), member('draining', 'down')], NOW), []);
  assert.deepEqual(usable([], NOW), []);
});
