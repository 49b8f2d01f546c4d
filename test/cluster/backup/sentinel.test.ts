/** The primary that Sentinels name is copied and filled. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redisKeys } from '../../../src/redis/keys.ts';
import { startSentinels } from '../../support/redis-sentinel.ts';
import { runRole, scratch } from './support/ground.ts';

const keys = redisKeys('sluice');

test('a backup is made and put back by way of Sentinels', { timeout: 60_000 }, async (t) => {
  const inFolder = await scratch(t);
  const sentinels = await startSentinels();
  t.after(() => sentinels.stop());
  const port = await sentinels.primaryPort();
  await sentinels.call(port, 'SET', keys.key('acme', 'key_1'), '{}');
  const env = { REDIS_URL: sentinels.url };
  const made = await runRole(['backup', inFolder('made')], env);
  assert.equal(made.code, 0, made.err);
  const back = await runRole(['restore', '--force', inFolder('made')], env);
  assert.equal(back.code, 0, back.err);
  assert.equal(await sentinels.call(port, 'GET', keys.key('acme', 'key_1')), '{}');
});
