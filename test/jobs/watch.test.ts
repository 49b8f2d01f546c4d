/** One subscription serves all who follow jobs, is there as long as anybody does, and loses nobody. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { type JobNews, JobWatch } from '../../src/jobs/watch.ts';
import { startPlayer } from '../http/jobs/player.ts';
import { startRedis } from '../support/redis.ts';
import { until } from './ground.ts';

async function openWatch(t: TestContext) {
  const redis = await startRedis();
  const player = await startPlayer(redis);
  const client = new Redis(redis.url);
  const clock = { ms: 0 };
  const watch = new JobWatch(player.connection, () => clock.ms);
  t.after(async () => {
    watch.close();
    client.disconnect();
    player.close();
    await redis.stop();
  });
  const subscribers = async () =>
    String(await client.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).match(/^id=/gm)?.length ?? 0;
  return { player, client, clock, watch, subscribers };
}

test('a hundred followers share two subscriptions, which end some time after the last of them', async (t) => {
  const { player, clock, watch, subscribers } = await openWatch(t);
  assert.equal(await subscribers(), 0);
  const ids = [await player.accept(), await player.accept()];
  const leave = Array.from({ length: 100 }, (_, index) =>
    watch.follow(ids[index % 2] as string, () => undefined),
  );
  await until(async () => (await subscribers()) === 1);
  leave.push(watch.follow(ids[0] as string, () => undefined, { pieces: true }));
  await until(async () => (await subscribers()) === 2);
  for (const one of leave) one();
  clock.ms += 59_000;
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.equal(await subscribers(), 2);
  clock.ms += 2_000;
  await until(async () => (await subscribers()) === 0);
});

test('each hears of his own job only, of its pieces only when he wants, and nothing after he has left', async (t) => {
  const { player, watch, subscribers } = await openWatch(t);
  const [mine, others] = [await player.accept(), await player.accept()];
  const heard: Record<string, JobNews[]> = { status: [], pieces: [], left: [], others: [] };
  const hear = (name: string) => (news: JobNews) => {
    if (news.attempt > 0) heard[name]?.push(news);
  };
  watch.follow(mine, hear('status'));
  watch.follow(mine, hear('pieces'), { pieces: true });
  watch.follow(others, hear('others'), { pieces: true });
  const leave = watch.follow(mine, hear('left'), { pieces: true });
  leave();
  leave();
  await until(async () => (await subscribers()) === 2);
  const attempt = await player.begin(mine);
  const writer = player.stream(mine, attempt);
  writer.append(Buffer.from('data: x\n\n'));
  await writer.close(5_000);
  await player.complete(mine, attempt);
  await until(() => heard.pieces?.at(-1)?.status === 'completed' && heard.pieces.length === 4);
  assert.deepEqual(
    heard.status?.map(({ status }) => status),
    ['in_progress', 'completed'],
  );
  assert.deepEqual(
    heard.pieces?.map(({ pieces }) => pieces),
    [undefined, 1, 1, undefined],
  );
  assert.deepEqual([heard.left, heard.others], [[], []]);
});

test('all are reminded to look when a subscription stands anew, and now and then in any case', async (t) => {
  const { player, client, clock, watch, subscribers } = await openWatch(t);
  const reminded = new Set<number>();
  const FOLLOWERS = 250;
  const id = await player.accept();
  for (let index = 0; index < FOLLOWERS; index += 1)
    watch.follow(id, ({ status }) => void (status ?? reminded.add(index)));
  const all = () => reminded.size === FOLLOWERS;
  await until(all);
  reminded.clear();
  await until(async () => (await subscribers()) === 1);
  await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await until(all);
  reminded.clear();
  clock.ms += 14_000;
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.equal(reminded.size, 0);
  clock.ms += 2_000;
  await until(all);
});
