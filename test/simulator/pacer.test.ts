/** The wheel calls everything once, in time, however far ahead and however late. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Pacer } from '../../src/simulator/pacer.ts';

function simulated() {
  mock.timers.enable({ apis: ['setInterval'] });
  let nowMs = 0;
  const pacer = new Pacer(() => nowMs);
  const pass = (ms: number, stepMs = 2) => {
    for (let left = ms; left > 0; left -= stepMs) {
      nowMs += stepMs;
      mock.timers.tick(2);
    }
  };
  return { pacer, pass };
}

test('entries fire at the first tick that is not too early, also beyond a revolution', (t) => {
  t.after(() => mock.timers.reset());
  const { pacer, pass } = simulated();
  const fired: [number, number][] = [];
  for (const delayMs of [1, 2, 3, 100, 2_047, 2_048, 2_049, 5_000, 9_999]) {
    pacer.after(delayMs, () => fired.push([delayMs, pacer.nowMs()]));
  }
  pass(10_002);
  assert.deepEqual(
    fired.map(([delayMs]) => delayMs),
    [1, 2, 3, 100, 2_047, 2_048, 2_049, 5_000, 9_999],
  );
  for (const [delayMs, atMs] of fired)
    assert.ok(atMs >= delayMs && atMs <= delayMs + 3, `${delayMs}: ${atMs}`);
});

test('after a stall everything overdue fires once', (t) => {
  t.after(() => mock.timers.reset());
  const { pacer, pass } = simulated();
  let fired = 0;
  for (let delayMs = 1; delayMs <= 3_000; delayMs++) pacer.after(delayMs, () => fired++);
  pass(4_000, 4_000);
  assert.equal(fired, 3_000);
});

test('what is cancelled does not fire; what is paused fires later', (t) => {
  t.after(() => mock.timers.reset());
  const { pacer, pass } = simulated();
  const fired: string[] = [];
  const dropped = pacer.after(10, () => fired.push('dropped'));
  pacer.after(10, () => fired.push('kept'));
  pacer.cancel(dropped);
  pacer.pause();
  pass(100);
  assert.deepEqual(fired, []);
  pacer.resume();
  pass(2);
  assert.deepEqual(fired, ['kept']);
});
