/** Who asks while Redis is away is told so at once; who waits or listens loses nothing by a moment of it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { until } from '../../support/gateway.ts';
import { assertRefused } from '../client.ts';
import { ask, listen, read, type Stage, startStage } from './player.ts';

let stage: Stage;
before(async () => {
  stage = await startStage();
});
after(() => stage.stop());

test('the end of a job is heard although the message of it was lost', async () => {
  const { one, player, redis } = stage;
  const id = await player.accept();
  await player.begin(id);
  const client = new Redis(redis.url);
  const reader = await listen(one, id);
  await reader.until('status');
  const waiting = ask(one, `/${id}`, { prefer: 'wait=60' });
  await until(async () => (await one.metric('sluice_requests_in_flight')) === 2);
  // Without a word on the channel, which then breaks.
  await client.hset(player.connection.keys.job(id), { status: 'expired', finished_ms: Date.now() });
  await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  assert.equal(read(await waiting).status, 'expired');
  await reader.until('done');
  client.disconnect();
});

test('without Redis each question gets 503 within half a second, and listeners go on when it is back', async () => {
  const { one, player, redis } = stage;
  const id = await player.accept();
  const attempt = await player.begin(id);
  const writer = player.stream(id, attempt);
  writer.append(Buffer.from('data: before\n\n'));
  const reader = await listen(one, id);
  await reader.until('chunk');
  redis.pause();
  for (let round = 0; round < 2; round += 1) {
    for (const [method, path] of [
      ['GET', ''],
      ['GET', `/${id}`],
      ['GET', `/${id}/result`],
      ['GET', `/${id}/events`],
      ['POST', `/${id}/cancel`],
      ['DELETE', `/${id}`],
    ] as const) {
      const reply = await ask(one, path, { method, prefer: 'wait=10' });
      assertRefused(reply, 'store_unavailable');
      assert.ok(reply.tookMs < 1_500, `${method} ${path} took ${reply.tookMs} ms`);
    }
  }
  redis.resume();
  writer.append(Buffer.from('data: after\n\n'));
  assert.equal((await reader.until('chunk')).data, 'after');
  reader.leave();
});
