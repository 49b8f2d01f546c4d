/**
 * Jobs, from the door to their settlement: what taking in costs a caller, what one waits for in memory, and how many a
 * worker on one core moves through payload, ticket, upstream call, result and settlement. Beside it BullMQ with an
 * empty processor, which does none of that.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BareFigures } from './jobs-bare.ts';
import { putJobs } from './jobs-door.ts';
import { AT_ONCE, type JobPlace, openJobPlace } from './jobs-place.ts';
import { cpuSeconds, endProcess, machineCpuSeconds, PROXY_CORE, startScript } from './processes.ts';
import { tenths, whole } from './report.ts';

interface JobSizes {
  readonly jobs: number;
  /** Of these, before it is counted. */
  readonly warmUp: number;
  readonly bare: number;
  readonly steadySeconds: number;
}

export const USUAL_JOBS: JobSizes = { jobs: 12_000, warmUp: 4_000, bare: 20_000, steadySeconds: 6 };
export const QUICK_JOBS: JobSizes = { jobs: 4_000, warmUp: 1_500, bare: 10_000, steadySeconds: 3 };

const DOORS = 16;
const STEADY_PER_SECOND = 100;
const PER_SECOND_MIN = 1_500;
const ACCEPT_P99_MS_MAX = 10;

interface JobsOptions {
  readonly upstreamPort: number;
  readonly sizes: JobSizes;
  readonly profileFolder: string | undefined;
  readonly print: (text: string) => void;
}

/** @returns whether a bound was missed by more than three times */
export async function measureJobs({
  upstreamPort,
  sizes,
  profileFolder,
  print,
}: JobsOptions): Promise<boolean> {
  const place = await openJobPlace(upstreamPort);
  try {
    print(`Jobs: chat calls of 600 bytes, with limits of every kind; ${AT_ONCE} at once`);
    const taken = await takeIn(place, sizes);
    print(
      `  taken in: ${whole(taken.perSecond)}/s over ${DOORS} connections; at ${STEADY_PER_SECOND}/s p50 ${tenths(taken.p50Ms)} ms, p99 ${tenths(taken.p99Ms)} ms`,
    );
    print(`  waiting: ${whole(taken.bytesEach)} bytes of Redis' memory each, request and ticket with it`);
    const moved = await moveThrough(place, sizes, profileFolder);
    print(
      `  worker: ${whole(moved.perSecond)} jobs/s; CPU ${whole(moved.workerMicroseconds)} µs of the worker a job, so at most ${whole(1e6 / moved.workerMicroseconds)}/s on a core of its own, and ${whole(moved.redisMicroseconds)} µs of Redis; all processes of the machine ${tenths(moved.coresBusy)} cores`,
    );
    const { child, ready } = await startScript(
      PROXY_CORE,
      'jobs-bare.ts',
      ...[place.redisPort, sizes.bare, AT_ONCE].map(String),
    );
    await endProcess(child);
    const bare = ready as BareFigures;
    print(
      `  BullMQ with an empty processor: ${whole(bare.perSecond)} jobs/s; CPU ${whole(bare.cpuMicroseconds)} µs a job\n`,
    );
    return [
      judged(
        print,
        'Jobs, jobs/s',
        PER_SECOND_MIN / moved.perSecond,
        moved.perSecond,
        `at least ${PER_SECOND_MIN}`,
      ),
      judged(
        print,
        'Jobs, p99 of taking in, ms',
        taken.p99Ms / ACCEPT_P99_MS_MAX,
        taken.p99Ms,
        `at most ${ACCEPT_P99_MS_MAX}`,
      ),
    ].some(Boolean);
  } finally {
    await place.end();
  }
}

async function takeIn(place: JobPlace, { jobs, steadySeconds }: JobSizes) {
  const steadyCount = STEADY_PER_SECOND * steadySeconds;
  // What is compiled and what is loaded first would be among the slowest of a few hundred.
  await putJobs(place, { count: jobs / 4, connections: DOORS, perSecond: null });
  const before = await place.redisBytes();
  const fast = await putJobs(place, {
    ...{ count: jobs - jobs / 4 - steadyCount, connections: DOORS, perSecond: null },
  });
  const bytesEach = ((await place.redisBytes()) - before) / (jobs - jobs / 4 - steadyCount);
  const steady = await putJobs(place, {
    ...{ count: steadyCount, connections: DOORS, perSecond: STEADY_PER_SECOND },
  });
  return {
    perSecond: (jobs - jobs / 4 - steadyCount) / fast.seconds,
    p50Ms: steady.microseconds.p50 / 1_000,
    p99Ms: steady.microseconds.p99 / 1_000,
    bytesEach,
  };
}

async function moveThrough(place: JobPlace, { jobs, warmUp }: JobSizes, profileFolder: string | undefined) {
  const worker = await place.startWorker(profileFolder);
  const pids = [Number(worker.pid)];
  await place.untilSettled(warmUp);
  const use = async () => ({
    settled: await place.settled(),
    atMs: performance.now(),
    worker: cpuSeconds(pids),
    redis: cpuSeconds([place.redisPid]),
    machine: machineCpuSeconds(),
  });
  const before = await use();
  await place.untilSettled(jobs);
  const after = await use();
  // The last of them are still told to BullMQ.
  await delay(200);
  await endProcess(worker);
  if (place.workerLog().includes('"level":50')) throw new Error('the worker has met errors');
  const count = after.settled - before.settled;
  const seconds = (after.atMs - before.atMs) / 1_000;
  return {
    perSecond: count / seconds,
    workerMicroseconds: ((after.worker - before.worker) / count) * 1e6,
    redisMicroseconds: ((after.redis - before.redis) / count) * 1e6,
    coresBusy: (after.machine - before.machine) / seconds,
  };
}

const FAILED_AT = 3;

function judged(
  print: JobsOptions['print'],
  what: string,
  missedBy: number,
  value: number,
  limit: string,
): boolean {
  const verdict = missedBy <= 1 ? 'held' : missedBy <= FAILED_AT ? 'missed' : 'FAILED';
  print(`${verdict.padEnd(6)}  ${what}: ${value.toFixed(2)}, ${limit}`);
  return !(missedBy <= FAILED_AT);
}
