/** While the Redis of jobs does not answer nothing becomes a job, and what was refused does not run later. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { redisKeys } from '../../../src/redis/keys.ts';
import { startGateway, until } from '../../support/gateway.ts';
import { freePort, startRedis } from '../../support/redis.ts';
import { startUpstream } from '../../support/upstream.ts';
import { answerAsAsked } from '../answers.ts';
import { assertRefused, bearer, send } from '../client.ts';
import { prompt, SMALL } from './door-stage.ts';
import { LINE } from './player.ts';

const LIMIT_MS = 3 * 500;
const keys = redisKeys('sluice');

test('killed, frozen and full: 503 in time, calls go on, nothing that was refused is there later', async (t) => {
  const port = await freePort();
  let queue = await startRedis({ port });
  const upstream = await startUpstream(answerAsAsked);
  const gateway = await startGateway({
    env: { QUEUE_REDIS_URL: queue.url },
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: LINE, upstreams: ['gpu'] }],
    },
  });
  t.after(async () => {
    await gateway.stop();
    await upstream.stop();
    await queue.stop();
  });
  const raw = new Redis(port, { retryStrategy: () => 50 }).on('error', () => undefined);
  t.after(() => raw.disconnect());
  const post = (headers: Record<string, string> = { prefer: 'respond-async' }) =>
    send(gateway.url, '/v1/chat/completions', {
      headers: { ...bearer(gateway.key), ...headers },
      body: prompt(SMALL),
    });
  const accepts = () => until(async () => (await post()).status === 202, 'a job to be accepted');
  const jobs = async () => (await raw.keys(`${keys.jobRoot()}:job:*`)).length;
  const refusedInTime = async () => {
    const reply = await post();
    assertRefused(reply, 'store_unavailable');
    assert.ok(reply.tookMs < LIMIT_MS, `${reply.tookMs} ms`);
    assert.equal((await post({})).status, 200, 'what is no job does not need it');
  };
  await accepts();

  await t.test('frozen', async () => {
    const before = await jobs();
    let answeredAtMs = 0;
    const ask = async () => {
      const reply = await post();
      answeredAtMs = performance.now();
      return reply;
    };
    const asked = Array.from({ length: 40 }, ask);
    // Of the others some are at each of the steps, and the rest come to a Redis that is frozen.
    await Promise.race(asked);
    queue.pause();
    const pausedAtMs = performance.now();
    asked.push(...Array.from({ length: 20 }, ask));
    const replies = await Promise.all(asked);
    const tookMs = answeredAtMs - pausedAtMs;
    const refused = replies.filter(({ status }) => status !== 202);
    for (const reply of refused) assertRefused(reply, 'store_unavailable');
    assert.ok(tookMs < LIMIT_MS, `${tookMs} ms`);
    await refusedInTime();
    queue.resume();
    await accepts();
    const accepted = replies.length - refused.length + 1;
    await until(async () => (await jobs()) === before + accepted, 'what was refused to be gone');
    t.diagnostic(
      `${refused.length} of ${replies.length} refused, the last ${tookMs.toFixed(0)} ms after the freeze`,
    );
    assert.ok(refused.length > 0);
  });

  await t.test('full', async () => {
    await raw.config('SET', 'maxmemory', '1mb');
    const before = await jobs();
    await refusedInTime();
    await raw.config('SET', 'maxmemory', '0');
    await accepts();
    assert.equal(await jobs(), before + 1);
  });

  await t.test('killed', async () => {
    process.kill(queue.pid, 'SIGKILL');
    await once(raw, 'close');
    await refusedInTime();
    await queue.stop();
    queue = await startRedis({ port });
    await accepts();
    assert.equal(await jobs(), 1);
  });
});
