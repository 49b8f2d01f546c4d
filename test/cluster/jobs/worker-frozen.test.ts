/** Q2: a worker stands still in the middle of its work, and then goes on as if nothing had happened. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { pause } from './support/caller.ts';
import { bounded, isLong, openPlace, TOLERANCE } from './support/place.ts';

const FROZEN_MS = 12_000;
const ROUNDS = isLong ? 3 : 1;
const ABORTED_MS = 1_000;
/** How much longer than others a job with one slot may wait for its next attempt; the slot is leased for 15 s. */
const SLOT_MS = 1_000;
const LIMIT_MS = 30_000;
const JOBS = 4;
const [WIDE, NARROW, TIGHT] = ['wide', 'narrow', 'tight'] as const;

test(
  'what a worker was about when it froze others have finished: its answers count nowhere, its calls end at once, and a single slot was theirs',
  bounded,
  async (t) => {
    const place = await openPlace(t, { replicas: 2, workers: 1 });
    const { caller, calls, gpu } = place;
    const wide = await place.makeKey(WIDE);
    const narrow = await place.makeKey(NARROW, { limits: { max_concurrent: 1 } });
    const tight = await place.makeKey(TIGHT, { limits: { max_concurrent: 1 } });
    for (let round = 0; round < ROUNDS; round += 1) {
      // The first answer of each: one comes while nobody can take it, the other is still to come after the thaw.
      gpu.addFault({ prompt: '[late-', first_token_ms: 3_000, calls: 2 });
      gpu.addFault({ prompt: '[long-', first_token_ms: 120_000, calls: 2 });
      const before = calls.length;
      const leftBefore = gpu.counts.cancelled;
      const sent = await Promise.all([
        ...['late', 'long'].map((name) => caller.post({ key: wide.key, name })),
        caller.post({ key: narrow.key, name: 'long' }),
        caller.post({ key: tight.key, name: 'late' }),
      ]);
      const keys = [wide, wide, narrow, tight];
      await gpu.until(() => calls.length >= before + JOBS);
      const [victim] = place.workers;
      assert.ok(victim);
      victim.freeze();
      const frozenAtMs = performance.now();
      await place.startWorker();
      await Promise.all(
        sent.map(({ job }, index) => caller.untilOver(job as string, keys[index]?.key ?? '', LIMIT_MS)),
      );
      await pause(FROZEN_MS - (performance.now() - frozenAtMs));
      assert.equal(gpu.counts.cancelled, leftBefore, 'nobody ends the calls of a worker that stands still');
      victim.thaw();
      const thawedAtMs = performance.now();
      const areClosed = () => gpu.counts.cancelled >= leftBefore + 2;
      await until(areClosed, 'its calls to end', TOLERANCE * ABORTED_MS);
      const abortedMs = performance.now() - thawedAtMs;
      const isLeft = async () => (await victim.logText()).split('"outcome":"left"').length - 1 === JOBS;
      await until(isLeft, 'the worker to give up its runs');

      const again = calls.slice(before + JOBS);
      const agains = sent.map(({ request }) => again.find((call) => call.request === request)?.atMs ?? 0);
      const [first = 0, ...others] = agains.map((atMs) => atMs - frozenAtMs);
      t.diagnostic(
        `ran again after ${first.toFixed(0)} ms, with one slot ${others.slice(1).map((ms) => ms.toFixed(0))} ms; aborted ${abortedMs.toFixed(0)} ms after the thaw`,
      );
      assert.equal(again.length, JOBS);
      assert.ok(Math.max(...others) - first <= TOLERANCE * SLOT_MS);
      await place.kill(victim);
      for (const [index, { job }] of sent.entries())
        for (const replica of [0, 1]) await caller.read(job as string, keys[index]?.key ?? '', { replica });
    }
    assert.equal(gpu.counts.running, 0);
    assert.deepEqual(await place.faults(WIDE, NARROW, TIGHT), []);
    assert.ok(caller.readings.every(({ status, attempts }) => status === 'completed' && attempts === 2));
  },
);
