import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callOf, openGround, pace, scopeOf, stepsOf } from './ground.ts';

// 60,000 ms / 700 is no number of milliseconds that a bucket could remember to the last digit.
for (const perMinute of [130, 700, 7_000]) {
  test(`${perMinute} calls at the same moment are admitted by a burst of ${perMinute}, and not one more`, async (t) => {
    const ground = await openGround(t);
    const { code, setTime } = stepsOf(ground);
    setTime(Date.UTC(2027, 0, 1));
    const tenant = scopeOf('tenant', { requests: pace(perMinute) });
    const codes = await Promise.all(
      Array.from({ length: perMinute + 5 }, (_, index) => code(callOf(`t${index}`, { tenant }))),
    );
    assert.deepEqual(
      codes.map((one) => one === 0),
      codes.map((_, index) => index < perMinute),
    );
  });
}
