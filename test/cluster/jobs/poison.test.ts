/** Q5: a job kills whatever worker takes it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summaryOf } from './support/caller.ts';
import type { GpuCall } from './support/history.ts';
import { bounded, isLong, openPlace, type Place } from './support/place.ts';

const TRIES = isLong ? 3 : 2;
const WORKERS = 2;
const INNOCENT = isLong ? 200 : 40;
const PER_SECOND = 10;
/** When the poison comes. */
const RUNNING = 8;
const POISON = 'poison';
const LIMIT_MS = 60_000;

test(
  'a job that kills its worker has failed after its tries, and all the jobs that ran beside it are completed',
  bounded,
  async (t) => {
    const deaths: Promise<unknown>[] = [];
    // The payload tells the test to kill who called with it: the worker dies while it waits for the answer.
    const begun = ({ request, by }: GpuCall) => {
      if (request.startsWith(POISON)) deaths.push(replace(place, by));
    };
    const place = await openPlace(t, {
      ...{ replicas: 1, workers: WORKERS, begun, simulator: { firstTokenMs: 1_000 } },
      config: { jobs: { attempts_max: TRIES }, worker: { concurrency: 8 } },
    });
    const { caller, calls } = place;
    const { key } = await place.makeKey();
    const sending = caller.postSteadily(PER_SECOND, (INNOCENT / PER_SECOND) * 1_000, { key });
    await place.gpu.until(({ running }) => running >= RUNNING);
    const poison = await caller.post({ key, name: POISON });
    const innocent = await sending;
    assert.equal(summaryOf([...innocent, poison]), `202: ${innocent.length + 1}`);
    const [end, ...others] = await Promise.all(
      [poison, ...innocent].map(({ job }) => caller.untilOver(job as string, key, LIMIT_MS)),
    );
    await Promise.all(deaths);

    const ran = calls.filter(({ request }) => request.startsWith(POISON));
    const hit = others.filter(({ attempts }) => attempts > 1);
    t.diagnostic(
      `${ran.length} workers died of it, within ${((ran.at(-1)?.atMs ?? 0) - (ran[0]?.atMs ?? 0)).toFixed(0)} ms; ${hit.length} of ${others.length} others had to run again, at most ${Math.max(...others.map(({ attempts }) => attempts))} times`,
    );
    assert.equal(ran.length, TRIES);
    const told = (await caller.ask(`/${poison.job}`, { key })).body.toString();
    assert.equal(end?.status, 'failed');
    assert.match(told, /"code":"attempts_exhausted"/);
    assert.deepEqual(
      others.filter(({ status }) => status !== 'completed').map(({ job, status }) => ({ job, status })),
      [],
    );
    assert.deepEqual(await place.faults(), []);
  },
);

async function replace(place: Place, name: string): Promise<void> {
  const victim = place.workers.find((worker) => worker.name === name);
  if (!victim) return;
  await place.kill(victim);
  await place.startWorker();
}
