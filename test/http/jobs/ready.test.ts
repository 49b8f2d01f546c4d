/** What a gateway says of the Redis of jobs where that is a server of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway, until } from '../../support/gateway.ts';
import { startRedis } from '../../support/redis.ts';

test('/ready says how the Redis of jobs is, and stays 200 without it', async (t) => {
  const queue = await startRedis();
  const gateway = await startGateway({ env: { QUEUE_REDIS_URL: queue.url }, makeKey: false });
  t.after(async () => {
    await gateway.stop();
    await queue.stop();
  });
  const ready = async () => {
    const answer = await fetch(`${gateway.adminUrl}/ready`);
    const body = (await answer.json()) as { redis: string; queue: string };
    assert.equal(answer.status, 200);
    assert.equal(body.redis, 'ok');
    return body.queue;
  };
  await until(async () => (await ready()) === 'ok', 'the first contact');
  queue.pause();
  await until(async () => (await ready()) === 'degraded', 'the loss to be seen');
  queue.resume();
  await until(async () => (await ready()) === 'ok', 'it to be back');
});
