/** One timer keeps all the limits of all calls, and a call that makes progress is left alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Expired, type Limits, Watch, Watchdog } from '../../src/upstream/watchdog.ts';

interface Watched {
  readonly watchdog: Watchdog;
  readonly expired: Promise<{ what: Expired; afterMs: number }>;
  readonly calls: Expired[];
}

function watch(limits: Partial<Limits>): Watched {
  const startedAtMs = performance.now();
  const { promise, resolve } = Promise.withResolvers<{ what: Expired; afterMs: number }>();
  const calls: Expired[] = [];
  const all = { first_byte_ms: 60_000, idle_ms: 60_000, total_ms: 60_000, ...limits };
  const watchdog = new Watchdog(new Watch(), all, startedAtMs, (what) => {
    calls.push(what);
    resolve({ what, afterMs: performance.now() - startedAtMs });
  });
  return { watchdog, expired: promise, calls };
}

/** Progress every `everyMs` until it is stopped. */
function keepGoing(watchdog: Watchdog, everyMs: number): NodeJS.Timeout {
  return setInterval(() => watchdog.progress(performance.now()), everyMs);
}

function isAbout(afterMs: number, expectedMs: number): void {
  assert.ok(afterMs >= expectedMs - 1, `${afterMs} ms is before ${expectedMs} ms`);
  assert.ok(afterMs < expectedMs + 300, `${afterMs} ms is long after ${expectedMs} ms`);
}

test('no first byte in time', async () => {
  const { expired } = watch({ first_byte_ms: 40, idle_ms: 10 });
  const { what, afterMs } = await expired;
  assert.equal(what, 'first_byte');
  isAbout(afterMs, 40);
});

test('after the first byte only the pause between two counts', async () => {
  const { watchdog, expired } = watch({ first_byte_ms: 30, idle_ms: 60 });
  watchdog.progress(performance.now());
  const { what, afterMs } = await expired;
  assert.equal(what, 'idle');
  isAbout(afterMs, 60);
});

test('an idle limit shorter than that of the first byte holds from the first byte on', async () => {
  const { watchdog, expired } = watch({ first_byte_ms: 400, idle_ms: 30 });
  watchdog.progress(performance.now());
  const { what, afterMs } = await expired;
  assert.equal(what, 'idle');
  isAbout(afterMs, 30);
});

test('progress holds off the idle limit, but not the total one', async () => {
  const { watchdog, expired } = watch({ idle_ms: 60, total_ms: 200 });
  const going = keepGoing(watchdog, 10);
  const { what, afterMs } = await expired;
  clearInterval(going);
  assert.equal(what, 'total');
  isAbout(afterMs, 200);
});

test('a stopped watchdog says nothing more, and one that has spoken says it once', async () => {
  const stopped = watch({ first_byte_ms: 10 });
  stopped.watchdog.stop();
  const other = watch({ first_byte_ms: 20, idle_ms: 20, total_ms: 40 });
  await other.expired;
  await watch({ total_ms: 60 }).expired;
  assert.deepEqual([stopped.calls, other.calls], [[], ['first_byte']]);
});

test('silence is told of again and again, from when it was asked for, and not while there is progress', async () => {
  const { watchdog } = watch({});
  const going = keepGoing(watchdog, 5);
  let told = 0;
  const { promise: silence, resolve } = Promise.withResolvers<void>();
  watchdog.whenQuiet(40, () => {
    told += 1;
    if (told === 3) resolve();
  });
  await watch({ total_ms: 150 }).expired;
  assert.equal(told, 0);
  clearInterval(going);
  const quietAtMs = performance.now();
  await silence;
  isAbout(performance.now() - quietAtMs, 115);
  watchdog.stop();
});

test('telling of silence is no progress: the idle limit still holds', async () => {
  const { watchdog, expired } = watch({ first_byte_ms: 100, idle_ms: 100 });
  let told = 0;
  watchdog.whenQuiet(20, () => {
    told += 1;
  });
  const { what, afterMs } = await expired;
  assert.equal(what, 'first_byte');
  isAbout(afterMs, 100);
  assert.ok(told >= 2, `told ${told} times`);
});

test('watchdogs of one watch do not disturb each other, also where one that expires stops another', async () => {
  const shared = new Watch();
  const startedAtMs = performance.now();
  const told: string[] = [];
  const { promise: lastHasExpired, resolve } = Promise.withResolvers<void>();
  const open = (name: string, first_byte_ms: number, then = () => {}) =>
    new Watchdog(shared, { first_byte_ms, idle_ms: 60_000, total_ms: 60_000 }, startedAtMs, () => {
      told.push(name);
      then();
    });
  const stopped = open('stopped by another', 90);
  open('at once', 10);
  open('stops another', 10, () => stopped.stop());
  open('at once too', 10);
  open('last', 120, resolve);
  await lastHasExpired;
  assert.deepEqual(told.slice(0, 3).sort(), ['at once', 'at once too', 'stops another']);
  assert.deepEqual(told.slice(3), ['last']);
});
