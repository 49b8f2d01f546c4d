/** Q1: workers die in the middle of their work. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { pause } from './support/caller.ts';
import type { GpuCall } from './support/history.ts';
import { bounded, isLong, openPlace, type Place, TOLERANCE } from './support/place.ts';

const JOBS = isLong ? 1_000 : 150;
const KILLS = isLong ? 10 : 2;
const WORKERS = 2;
const RUNNING_AGAIN_MS = 10_000;
const LIMIT_MS = isLong ? 300_000 : 60_000;
/** So many jobs begin between one kill and the next. */
const CALLS_PER_KILL = Math.floor(JOBS / (KILLS + 1));

test(
  'however many workers are killed, each job that was promised ends once, with one answer, and is charged once',
  bounded,
  async (t) => {
    const place = await openPlace(t, {
      ...{ replicas: 2, workers: WORKERS, simulator: { firstTokenMs: 300, tokenMs: 50 } },
      config: { worker: { concurrency: 16 }, jobs: { attempts_max: 10 } },
    });
    const { caller, calls } = place;
    const { key } = await place.makeKey();
    const posts = await Promise.all(
      Array.from({ length: JOBS }, (_, index) => caller.post({ key, stream: index % 2 === 0 })),
    );
    assert.deepEqual([...new Set(posts.map(({ status }) => status))], [202]);
    const jobs = posts.map(({ job }) => job as string);
    const ended = Promise.all(jobs.map((job) => caller.untilOver(job, key, LIMIT_MS)));
    const kills = await killNow(place, ended);
    await ended;
    // Through each replica, and once more, so that a change would be seen.
    for (const replica of [0, 1]) await Promise.all(jobs.map((job) => caller.read(job, key, { replica })));

    const againMs = kills.flatMap((kill) => runAgainMs(calls, kill));
    const slowestMs = Math.max(0, ...againMs);
    t.diagnostic(
      `${JOBS} jobs, ${kills.length} kills: ${calls.length} calls; ${againMs.length} jobs ran again, the last ${slowestMs.toFixed(0)} ms after the kill`,
    );
    assert.equal(kills.length, KILLS);
    assert.ok(againMs.length > 0, 'no kill has met a job');
    assert.ok(slowestMs <= TOLERANCE * RUNNING_AGAIN_MS);
    assert.deepEqual(await place.faults(), []);
  },
);

interface Kill {
  readonly by: string;
  readonly atMs: number;
}

/** The oldest worker each time; another one takes its place at once. */
async function killNow(place: Place, ended: Promise<unknown>): Promise<readonly Kill[]> {
  const kills: Kill[] = [];
  let isOver = false;
  const over = ended.finally(() => {
    isOver = true;
  });
  over.catch(() => undefined);
  for (let kill = 1; kill <= KILLS && !isOver; kill += 1) {
    await until(() => isOver || place.calls.length >= kill * CALLS_PER_KILL, 'jobs to run', LIMIT_MS);
    await pause(100);
    const victim = place.workers[0];
    if (!victim) break;
    kills.push({ by: victim.name, atMs: performance.now() });
    await place.kill(victim);
    await place.startWorker();
  }
  return kills;
}

/** Of each job that the dead worker had: how long until it ran again. */
function runAgainMs(calls: readonly GpuCall[], { by, atMs }: Kill): number[] {
  return [...Map.groupBy(calls, ({ request }) => request).values()].flatMap((own) => {
    const at = own.findLastIndex((call) => call.by === by);
    const next = at < 0 ? undefined : own[at + 1];
    return next ? [next.atMs - atMs] : [];
  });
}
