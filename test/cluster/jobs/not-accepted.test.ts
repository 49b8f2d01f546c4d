/** Q4: jobs come in while the Redis of jobs cannot take them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { fieldsOf, pause, slowestMs, summaryOf } from './support/caller.ts';
import { bounded, isLong, openPlace, type Place, type TenantKey, TOLERANCE } from './support/place.ts';

const PER_SECOND = isLong ? 100 : 40;
const AWAY_MS = isLong ? 5_000 : 1_200;
/** Shorter than a question to Redis may take: what was asked meanwhile is heard in the end. */
const BLINK_MS = 400;
const BLINKS = isLong ? 40 : 4;
const AT_ONCE = 40;
const STEPS = 5;
const STEP_MS = 12;
const REFUSED_MS = 500;
const BACK_MS = 5_000;

test(
  'while the Redis of jobs is killed, frozen or full, jobs are refused in time, and none of them runs or costs anything later',
  bounded,
  async (t) => {
    const place = await openPlace(t, { replicas: 2, workers: 1 });
    const { caller, queue } = place;
    const owner = await place.makeKey(undefined, { quotas: [{ period: 'total', requests: 1_000_000 }] });
    const { key } = owner;
    const serverPid = async () =>
      Number(/process_id:(\d+)/.exec(String(await queue.call('info', 'server')))?.[1]);
    const outages: readonly [string, () => Promise<() => unknown>][] = [
      [
        'killed',
        async () => {
          await queue.kill();
          return () => queue.restart('with');
        },
      ],
      [
        'frozen',
        async () => {
          const pid = await serverPid();
          process.kill(pid, 'SIGSTOP');
          return () => process.kill(pid, 'SIGCONT');
        },
      ],
      [
        'full',
        async () => {
          await queue.call('config', 'set', 'maxmemory', '1');
          return () => queue.call('config', 'set', 'maxmemory', '0');
        },
      ],
    ];
    for (const [name, begin] of outages) {
      await accepts(place, key);
      const end = await begin();
      const posts = await caller.postSteadily(PER_SECOND, AWAY_MS, { key });
      await end();
      t.diagnostic(`${name}: ${summaryOf(posts)}; the slowest after ${slowestMs(posts).toFixed(0)} ms`);
      for (const { status, code } of posts) assert.deepEqual([status, code], [503, 'store_unavailable']);
      assert.ok(slowestMs(posts) <= TOLERANCE * REFUSED_MS);
    }

    await accepts(place, key);
    const pid = await serverPid();
    for (let time = 1; time <= BLINKS; time += 1) {
      await accepts(place, key);
      const sending = Promise.all(Array.from({ length: AT_ONCE }, () => caller.post({ key })));
      // At another step of their way each time.
      await pause((time % STEPS) * STEP_MS);
      process.kill(pid, 'SIGSTOP');
      await pause(BLINK_MS);
      process.kill(pid, 'SIGCONT');
      t.diagnostic(`frozen for ${BLINK_MS} ms while they come in: ${summaryOf(await sending)}`);
    }

    const backMs = await accepts(place, key);
    t.diagnostic(`accepted ${backMs.toFixed(0)} ms after the last`);
    await onlyPromisedOnesExist(place, owner);
    const promised = caller.posts.flatMap(({ job }) => job ?? []);
    await Promise.all(promised.map((job) => caller.untilOver(job, key, 30_000)));
    const begunAtMs = new Map(place.calls.map(({ request, atMs }) => [request, atMs]));
    const waitedMs = caller.posts
      .filter(({ job }) => job !== undefined)
      .map(({ request, sentAtMs }) => (begunAtMs.get(request) ?? Number.POSITIVE_INFINITY) - sentAtMs);
    t.diagnostic(
      `the last of ${waitedMs.length} began ${Math.max(...waitedMs).toFixed(0)} ms after it was sent`,
    );
    assert.ok(Math.max(...waitedMs) <= TOLERANCE * BACK_MS);
    assert.deepEqual(await place.faults(), []);
    assert.equal((await place.quotaUsed(owner)).quotaRequests, promised.length);
  },
);

/** @returns how long it took until each replica has accepted a job */
async function accepts({ caller }: Place, key: string): Promise<number> {
  const beganMs = performance.now();
  for (const replica of [0, 1]) {
    while ((await caller.post({ key, replica })).status !== 202) {
      assert.ok(performance.now() - beganMs < TOLERANCE * BACK_MS, 'it accepts nothing');
      await pause(50);
    }
  }
  return performance.now() - beganMs;
}

/** What may have been accepted without anybody's knowing is taken out again. */
async function onlyPromisedOnesExist({ caller }: Place, { key }: TenantKey): Promise<void> {
  const promised = new Set(caller.posts.flatMap(({ job }) => job ?? []));
  const isSo = async () => {
    const found = new Set<string>();
    for (let after = '', hasMore = true; hasMore; ) {
      const page = fieldsOf(await caller.ask(`?limit=100${after}`, { key }));
      for (const { id } of (page.data ?? []) as readonly { readonly id: string }[]) found.add(id);
      after = `&after=${page.last_id}`;
      hasMore = page.has_more === true;
    }
    return found.symmetricDifference(promised).size === 0;
  };
  await until(isSo, 'jobs that nobody was promised to go');
}
