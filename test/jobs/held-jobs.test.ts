/** A job is held for as long as its caller is there, and ends when nobody has waited for it for some time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HeldJob, HeldJobs } from '../../src/jobs/held-jobs.ts';
import { holdTable } from '../../src/redis/hold-table.ts';
import { got, startPlayer } from '../http/jobs/player.ts';
import { until } from '../support/gateway.ts';
import { startRedis } from '../support/redis.ts';

const HELD_MS = 300;

test('held jobs', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const player = await startPlayer(redis);
  t.after(() => player.close());
  const holds = holdTable(player.connection);
  const make = () => {
    const ended: string[] = [];
    const parts = { table: holds, heldMs: HELD_MS, nowMs: () => performance.now() };
    const held = new HeldJobs({ ...parts, ended: ({ id }) => ended.push(id) });
    t.after(() => held.stop());
    return { held, ended };
  };
  const accept = async (): Promise<HeldJob> => {
    const id = await player.accept({ via: 'held', heldMs: HELD_MS });
    return { id, tenant: 'acme', keyId: 'key_1', model: 'public' };
  };
  const statusOf = async (id: string) => got(await player.table.find(id))?.status;

  await t.test('goes on while the caller waits, and ends some time after he has left', async () => {
    const { held, ended } = make();
    const job = await accept();
    held.enter(job);
    await sleep(3 * HELD_MS);
    assert.deepEqual(got(await player.table.sweep(10)), { expired: 0, forgotten: 0 });
    assert.equal(await statusOf(job.id), 'queued');
    const leftAtMs = performance.now();
    held.leave(job);
    await until(async () => (await statusOf(job.id)) === 'cancelled', 'its end');
    assert.ok(performance.now() - leftAtMs >= HELD_MS);
    await until(() => ended.length === 1, 'word of its end');
    const record = got(await player.table.find(job.id));
    assert.deepEqual([ended, record?.cancelled_by], [[job.id], 'caller_gone']);
  });

  await t.test('goes on when somebody has joined it through another replica', async () => {
    const [first, second] = [make(), make()];
    const job = await accept();
    first.held.enter(job);
    await second.held.join(job);
    first.held.leave(job);
    await sleep(3 * HELD_MS);
    assert.equal(await statusOf(job.id), 'queued');
    assert.deepEqual(first.ended, []);
  });

  await t.test('goes on without anybody once it was promised, until the end of its life', async () => {
    const { held } = make();
    const job = await accept();
    held.enter(job);
    assert.equal(got(await holds.promise(job.id)), 'queued');
    held.leave(job);
    await sleep(3 * HELD_MS);
    assert.deepEqual(got(await player.table.sweep(10)), { expired: 0, forgotten: 0 });
    assert.equal(await statusOf(job.id), 'queued');
  });

  await t.test('is ended by the sweep, or not begun, when its replica has died', async () => {
    const [one, other] = [await accept(), await accept()];
    await sleep(HELD_MS + 50);
    const picked = got(await player.table.pick('llama', 100));
    assert.ok(picked.some(({ id }) => id === other.id));
    assert.equal(got(await player.table.start(other.id, 'late', 3)).verdict, 'over');
    assert.equal(got(await player.table.sweep(10)).expired, 1);
    assert.deepEqual([await statusOf(one.id), await statusOf(other.id)], ['cancelled', 'cancelled']);
  });

  await t.test('what runs is cancelled as well, which its worker hears', async () => {
    const { held, ended } = make();
    const job = await accept();
    held.enter(job);
    await player.begin(job.id);
    held.leave(job);
    await until(async () => (await statusOf(job.id)) === 'cancelled', 'its end');
    assert.deepEqual(ended, [], 'its worker settles it');
  });
});
