/** Q3: the Redis of jobs is killed while jobs come in and run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause, slowestMs, summaryOf } from './support/caller.ts';
import { bounded, isLong, openPlace, TOLERANCE } from './support/place.ts';

const PER_SECOND = isLong ? 200 : 100;
const KILLS = isLong ? 5 : 1;
const BEFORE_MS = 1_500;
const AWAY_MS = 1_000;
const AFTER_MS = 2_000;
const REFUSED_MS = 500;
const WORKING_MS = 5_000;
const LIMIT_MS = isLong ? 120_000 : 45_000;

test(
  'of the jobs that were acknowledged none is missing after the Redis of jobs was killed, and it goes on by itself',
  bounded,
  async (t) => {
    const place = await openPlace(t, {
      ...{ replicas: 2, workers: 2, simulator: { firstTokenMs: 50 } },
      config: { worker: { concurrency: 16 } },
    });
    const { caller, queue, calls } = place;
    const { key } = await place.makeKey();
    const forMs = BEFORE_MS + AWAY_MS + AFTER_MS;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = caller.posts.length;
      const sending = caller.postSteadily(PER_SECOND, forMs, { key });
      await pause(BEFORE_MS);
      await queue.kill();
      await pause(AWAY_MS);
      await queue.restart('with');
      const backAtMs = performance.now();
      const acceptedMs = await until(backAtMs, () =>
        caller.posts.some(({ status, sentAtMs }) => status === 202 && sentAtMs > backAtMs),
      );
      const startedMs = await until(backAtMs, () => calls.some(({ atMs }) => atMs > backAtMs));
      await sending;
      const posts = caller.posts.slice(before);
      const refusedMs = slowestMs(posts.filter(({ status }) => status === 503));
      t.diagnostic(
        `${summaryOf(posts)} (within ${refusedMs.toFixed(0)} ms); accepted ${acceptedMs.toFixed(0)} ms and run ${startedMs.toFixed(0)} ms after it was back`,
      );
      assert.ok(Math.max(acceptedMs, startedMs) <= TOLERANCE * WORKING_MS);
      assert.ok(refusedMs <= TOLERANCE * REFUSED_MS);
      assert.ok(posts.every(({ status }) => status === 202 || status === 503));
    }
    const promised = caller.posts.flatMap(({ job }) => job ?? []);
    assert.ok(promised.length > KILLS * PER_SECOND);
    await Promise.all(promised.map((job) => caller.untilOver(job, key, LIMIT_MS)));
    const attempts = caller.readings.reduce((most, reading) => Math.max(most, reading.attempts), 0);
    t.diagnostic(`${promised.length} acknowledged, ${calls.length} calls, at most ${attempts} attempts`);
    assert.deepEqual(await place.faults(), []);
  },
);

/** @returns when it was so, in ms after that moment */
async function until(sinceMs: number, isSo: () => boolean): Promise<number> {
  while (!isSo()) {
    if (performance.now() - sinceMs > TOLERANCE * WORKING_MS) throw new Error('waited in vain');
    await pause(10);
  }
  return performance.now() - sinceMs;
}
