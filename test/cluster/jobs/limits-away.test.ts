/** Between Q3 and D2: the Redis of limits is killed while jobs run, and that of jobs stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { pause, slowestMs, summaryOf } from './support/caller.ts';
import { bounded, isLong, openPlace, TOLERANCE } from './support/place.ts';

const PER_SECOND = 60;
const KILLS = isLong ? 5 : 1;
const BEFORE_MS = 1_000;
const AWAY_MS = 1_500;
const AFTER_MS = 1_000;
const REFUSED_MS = 500;
const LIMIT_MS = 45_000;

test(
  'while the Redis of limits is away no job is lost and none is taken in; what ran ends once and is charged once',
  bounded,
  async (t) => {
    const place = await openPlace(t, {
      ...{ replicas: 2, workers: 2, simulator: { firstTokenMs: 300 } },
      config: { worker: { concurrency: 16 } },
    });
    const { caller, limits, calls, gpu } = place;
    const quotas = [{ period: 'total', requests: 1_000_000, tokens: 1_000_000_000 }];
    const owner = await place.makeKey(undefined, { limits: { max_concurrent: 1_000 }, quotas });
    const { key } = owner;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const sending = caller.postSteadily(PER_SECOND, BEFORE_MS + AWAY_MS + AFTER_MS, { key });
      await pause(BEFORE_MS);
      await gpu.until(({ running }) => running >= 8);
      const running = gpu.counts.running;
      await limits.kill();
      await pause(AWAY_MS);
      await limits.restart('with');
      const backAtMs = performance.now();
      const began = () => calls.some(({ atMs }) => atMs > backAtMs);
      await until(began, 'jobs to run again', TOLERANCE * 5_000);
      const againMs = performance.now() - backAtMs;
      const posts = await sending;
      const refused = posts.filter(({ status }) => status === 503);
      t.diagnostic(
        `${running} ran when it was killed; ${summaryOf(posts)} (within ${slowestMs(refused).toFixed(0)} ms); run again ${againMs.toFixed(0)} ms after it was back`,
      );
      assert.ok(refused.length > 0);
      assert.ok(slowestMs(refused) <= TOLERANCE * REFUSED_MS);
      assert.ok(posts.every(({ status }) => status === 202 || status === 503));
    }
    const promised = caller.posts.flatMap(({ job }) => job ?? []);
    const ends = await Promise.all(promised.map((job) => caller.untilOver(job, key, LIMIT_MS)));
    assert.deepEqual([...new Set(ends.map(({ status }) => status))], ['completed']);
    assert.deepEqual(await place.faults(), []);
    const { lines } = await place.books.books(owner.tenant);
    const tokens = lines.reduce((sum, line) => sum + line.input_tokens + line.output_tokens, 0);
    const used = await place.quotaUsed(owner);
    t.diagnostic(`${promised.length} promised, ${calls.length} calls, ${lines.length} charged`);
    assert.deepEqual(
      [lines.length, used.quotaRequests, used.quotaTokens],
      [promised.length, promised.length, tokens],
    );
  },
);
