import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationSeconds } from '../../src/cli/duration.ts';

test('lengths of time are read in seconds, and nothing is guessed', () => {
  const read = ['90s', '15m', '24h', '30d', '2w', '0', '30', '1.5h', '-1d', 'd', '', '30 d', '1e3s'];
  assert.deepEqual(read.map(durationSeconds), [
    90,
    900,
    86_400,
    2_592_000,
    1_209_600,
    0,
    ...Array(7).fill(undefined),
  ]);
});
