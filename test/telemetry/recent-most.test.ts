/** A gauge of the most in the last one to two minutes, whoever asks for it and how often. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentMost } from '../../src/telemetry/recent-most.ts';

function played() {
  let nowMs = 1_000;
  const recent = new RecentMost(2, () => nowMs);
  return {
    see(name: string, value: number) {
      const most = recent.of(name);
      most[0] = Math.max(most[0] as number, value);
    },
    read: () => Object.fromEntries([...recent.read()].map(([name, values]) => [name, [...values]])),
    wait(seconds: number) {
      nowMs += seconds * 1_000;
    },
  };
}

test('the most stays for a minute at least and for two at most, however often it is read', () => {
  const { see, read, wait } = played();
  see('acme', 0.9);
  wait(59);
  see('acme', 0.2);
  assert.deepEqual(read(), { acme: [0.9, -1] });
  assert.deepEqual(read(), { acme: [0.9, -1] });
  wait(2);
  see('acme', 0.3);
  assert.deepEqual(read(), { acme: [0.9, -1] });
  wait(60);
  assert.deepEqual(read(), { acme: [0.3, -1] });
  wait(60);
  assert.deepEqual(read(), {});
});

test('what was seen before a long silence is not said behind it', () => {
  const { see, read, wait } = played();
  see('acme', 0.9);
  wait(600);
  assert.deepEqual(read(), {});
  see('acme', 0.1);
  assert.deepEqual(read(), { acme: [0.1, -1] });
});
