/** Q8: jobs with large prompts, and what is left of them in Redis. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { jobMemory, passTime } from './support/aged.ts';
import { pause } from './support/caller.ts';
import { bounded, isLong, openPlace } from './support/place.ts';

const JOBS = isLong ? 100 : 10;
const PROMPT_BYTES = 5_000_000;
const AT_ONCE = 5;
/** The shortest that the configuration takes. */
const LIFETIME_S = 60;
const DROPPED_MS = 5_000;
const GONE_MS = 30_000;
/** Connections, scripts, and the books of BullMQ come and go. */
const LEFT_BYTES_MAX = 2_000_000;
const LIMIT_MS = 120_000;

test(
  'large requests leave Redis when their jobs are done, all else when their lifetime is over, and its memory is back',
  bounded,
  async (t) => {
    const place = await openPlace(t, {
      ...{ replicas: 1, workers: 0, simulator: { contextLength: 100_000_000 } },
      config: { jobs: { lifetime_seconds: LIFETIME_S, result_seconds: LIFETIME_S } },
    });
    const { caller, queue } = place;
    const { key } = await place.makeKey();
    const base = await jobMemory(queue.url);

    // Of random text, which takes half of its size in store.
    const prompt = randomBytes(PROMPT_BYTES / 2).toString('hex');
    const jobs: string[] = [];
    while (jobs.length < JOBS) {
      const wishes = Array.from({ length: AT_ONCE }, () => caller.post({ key, prompt, name: 'large' }));
      for (const { job, status } of await Promise.all(wishes)) {
        assert.equal(status, 202);
        jobs.push(job as string);
      }
    }
    const full = await jobMemory(queue.url);
    assert.ok(full.bytes - base.bytes >= (JOBS * PROMPT_BYTES) / 2);

    await place.startWorker();
    for (const job of jobs) assert.equal((await caller.untilOver(job, key, LIMIT_MS)).status, 'completed');
    const areDropped = async () => (await jobMemory(queue.url)).requests === 0;
    await until(areDropped, 'the requests to go', DROPPED_MS);
    const done = await jobMemory(queue.url);
    assert.ok(done.bytes <= base.bytes + LEFT_BYTES_MAX);

    if (isLong) await pause(LIFETIME_S * 1_000);
    else await passTime(queue.url, LIFETIME_S * 1_000);
    await until(async () => (await jobMemory(queue.url)).all === 0, 'the jobs to go', GONE_MS);
    const end = await jobMemory(queue.url);
    const mb = [base, full, done, end].map(({ bytes }) => `${(bytes / 1e6).toFixed(1)} MB`);
    t.diagnostic(`${JOBS} jobs: ${mb[0]}, with their requests ${mb[1]}, done ${mb[2]}, in the end ${mb[3]}`);
    assert.ok(end.bytes <= base.bytes + LEFT_BYTES_MAX);
  },
);
