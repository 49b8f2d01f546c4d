/** A large body does not stand in the way of short commands, and leaves no memory behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRedis } from '../../support/redis.ts';
import { connected, redisConfig } from '../ground.ts';
import { HOUR_MS, payloadGround, someBody, value } from './ground.ts';

test('while bodies of 20 MB are written and read, a short command on another connection stays short', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const { table } = await payloadGround(t, redis.url);
  const others = await connected(t, redisConfig(redis.url));
  const body = someBody(20_000_000);
  const times: number[] = [];
  const short = async () => {
    const begunMs = performance.now();
    value(await others.ask((client) => client.incr('counter')));
    times.push(performance.now() - begunMs);
  };
  const p99 = () => times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)] as number;
  for (let count = 0; count < 500; count += 1) await short();
  const quietMs = p99();
  times.length = 0;
  let busy = true;
  const bodies = (async () => {
    for (let round = 0; round < 4; round += 1) {
      await table.writeRequest(`job_${round}`, body, HOUR_MS);
      await table.readRequest(`job_${round}`);
    }
    busy = false;
  })();
  while (busy) await short();
  await bodies;
  const busyMs = p99();
  t.diagnostic(
    `p99 ${quietMs.toFixed(2)} ms quiet, ${busyMs.toFixed(2)} ms beside the bodies (${times.length} commands)`,
  );
  assert.ok(times.length > 100 && busyMs < 3 * 20, `${busyMs} ms`);
});

test('the memory of 100 bodies of 5 MB is back after their lifetime', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const { table, raw } = await payloadGround(t, redis.url);
  const usedMb = async () =>
    Number(/used_memory:(\d+)/.exec(await raw((client) => client.info('memory')))?.[1]) / 1e6;
  const body = Buffer.alloc(5_000_000, someBody(500_000));
  const before = await usedMb();
  for (let job = 0; job < 100; job += 1) value(await table.writeRequest(`job_${job}`, body, HOUR_MS));
  const full = await usedMb();
  await Promise.all(Array.from({ length: 100 }, (_, job) => table.keepRequest(`job_${job}`, 1)));
  while ((await raw((client) => client.dbsize())) > 0);
  const after = await usedMb();
  t.diagnostic(
    `${before.toFixed(1)} MB before, ${full.toFixed(1)} with the bodies, ${after.toFixed(1)} after`,
  );
  assert.ok(full > before + 20 && after < before + 2);
});
