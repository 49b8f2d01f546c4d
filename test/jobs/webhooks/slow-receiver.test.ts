/** Receivers that are slow or silent delay neither others nor jobs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRedis } from '../../support/redis.ts';
import { until } from '../ground.ts';
import { hostOf, openReceiver, webhookGround } from './ground.ts';

test('one silent receiver holds its few places alone, and another tenant hears of its job at once', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const silent = await openReceiver(t, () => 'silence');
  const quick = await openReceiver(t, () => ({ status: 200 }));
  const ground = await webhookGround(t, redis.url, {
    allowed_hosts: hostOf(silent, quick),
    concurrency: 6,
    receiver_concurrency: 3,
  });
  await ground.register('silent', silent.url);
  await ground.register('quick', quick.url);
  ground.openMailroom();
  for (let number = 0; number < 30; number += 1) await ground.complete(`job_s${number}`, 'silent');
  await silent.got(3);
  const begunMs = performance.now();
  for (let number = 0; number < 20; number += 1) await ground.complete(`job_q${number}`, 'quick');
  await quick.got(20);
  const tookMs = performance.now() - begunMs;
  t.diagnostic(`20 events beside a silent receiver: ${Math.round(tookMs)} ms`);
  assert.equal(silent.letters.length, 3);
  assert.ok(tookMs < 5_000);
  await until(() => ground.outcomes.length === 20);
});

test('100 events are delivered once each', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const receiver = await openReceiver(t, () => ({ status: 200 }));
  const ground = await webhookGround(t, redis.url, { allowed_hosts: hostOf(receiver) });
  await ground.register('acme', receiver.url);
  for (let count = 0; count < 2; count += 1) ground.openMailroom();
  for (let number = 0; number < 100; number += 1) await ground.complete(`job_${number}`);
  const begunMs = performance.now();
  await until(() => ground.outcomes.length === 100);
  t.diagnostic(`the last came ${Math.round(performance.now() - begunMs)} ms behind the last job`);
  const ids = receiver.letters.map(({ headers }) => headers['webhook-id']);
  assert.deepEqual([ids.length, new Set(ids).size], [100, 100]);
  const left = await ground.connection.commands.ask((client) => client.keys('*{_jobs}:event:*'));
  assert.deepEqual(left.ok && left.value, [], 'and leave nothing behind');
});
