/** Long work says how far it is: a bar that a person sees grow, and lines now and then in a log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressOn } from '../../src/cli/progress.ts';

function watched(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  const clock = { nowMs: 0 };
  const screen = { isTTY, columns, write: (text: string) => written.push(text) > 0 };
  return { written, clock, progress: progressOn(screen as never, () => clock.nowMs) };
}

test('on a terminal a bar is drawn over itself, at most ten times a second, and is gone at the end', () => {
  const { written, clock, progress } = watched(true);
  for (let step = 0; step <= 100; step += 1) {
    clock.nowMs = step * 20;
    progress.show(step / 100, `${step} rows`);
  }
  progress.end();
  assert.equal(written.length, 21);
  assert.equal(written[9], `\r\x1b[K[${'#'.repeat(15)}${'.'.repeat(15)}] 50 %  50 rows`);
  assert.equal(written.at(-1), '\r\x1b[K');
});

test('a bar never wraps, or it could not be drawn over', () => {
  const { written, clock, progress } = watched(true, 40);
  clock.nowMs = 1_000;
  progress.show(0.5, 'a very long text about what is done');
  assert.equal(written[0]?.slice('\r\x1b[K'.length).length, 39);
});

test('in a log there is a line each five seconds and no escape sequence, with the time that is left', () => {
  const { written, clock, progress } = watched(false);
  for (clock.nowMs = 0; clock.nowMs <= 12_000; clock.nowMs += 1_000) {
    progress.show(clock.nowMs / 20_000, 'rows');
  }
  progress.end();
  assert.deepEqual(written, ['25 %, rows, 15 s left\n', '50 %, rows, 10 s left\n']);
});

test('where nobody knows how much there is, it says what is done', () => {
  const { written, clock, progress } = watched(false);
  clock.nowMs = 5_000;
  progress.show(undefined, '700 rows');
  assert.deepEqual(written, ['700 rows\n']);
});

test('work that is over at once says nothing', () => {
  const { written, progress } = watched(true);
  progress.show(0.5, 'rows');
  progress.end();
  assert.deepEqual(written, []);
});
