/** D2: Redis is killed, and comes back with its data. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKeyId, newSecret } from '../../../src/admission/keys/key-format.ts';
import { bounded, isLong, openGround } from './support/ground.ts';
import {
  chargedIsAdmitted,
  refusedAsUnavailable,
  servedThroughout,
  untilLimitsAreGlobal,
  untilUnknownIsRefused,
  watchReady,
} from './support/judge.ts';
import { startKillableRedis } from './support/killable-redis.ts';
import { pause } from './support/load.ts';

const REPLICAS = 3;
const PER_SECOND = 200;
const AWAY_MS = isLong ? 5_000 : 1_000;
const TIMES = isLong ? 5 : 1;
const LIMITS_BACK_MS = 2_000;

test(
  'a Redis that was killed and is back with its data has been missed by no known key, and every call is charged once',
  bounded,
  async (t) => {
    const redis = await startKillableRedis({ appendOnly: true });
    const ground = await openGround(t, { replicas: REPLICAS, redisUrl: () => redis.url });
    t.after(() => redis.stop());
    const { load } = ground;
    const known = await ground.caller('known', {
      limits: { max_concurrent: 300, requests_per_minute: 100_000 },
    });
    await ground.warm([known]);
    const notReady = watchReady(t, ground.gateways);
    const end = load.begin(PER_SECOND, [known]);
    for (let time = 0; time < TIMES; time += 1) {
      await pause(500);
      await redis.kill();
      await pause(AWAY_MS / 2);
      await load.everywhere({ name: 'unknown', key: newSecret(newKeyId()) });
      await pause(AWAY_MS / 2);
      await redis.restart('with');
      const backMs = await untilLimitsAreGlobal(ground, LIMITS_BACK_MS);
      t.diagnostic(`Redis decided again after ${backMs.toFixed(0)} ms`);
    }
    await end();

    assert.deepEqual(await notReady(), []);
    servedThroughout(t, load.of('known'));
    refusedAsUnavailable(load.of('unknown'));
    await chargedIsAdmitted(t, ground, redis.url);
    const unknownMs = await untilUnknownIsRefused(ground, LIMITS_BACK_MS);
    t.diagnostic(`an unknown key was unknown again after ${unknownMs.toFixed(0)} ms`);
  },
);
