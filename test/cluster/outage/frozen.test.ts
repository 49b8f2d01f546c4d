/** D1: Redis stops answering, with its connections open, and thaws. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKeyId, newSecret } from '../../../src/admission/keys/key-format.ts';
import { startRedis } from '../../support/redis.ts';
import { bounded, isLong, openGround } from './support/ground.ts';
import {
  chargedIsAdmitted,
  inTime,
  refusedAsUnavailable,
  servedThroughout,
  untilLimitsAreGlobal,
  watchReady,
} from './support/judge.ts';
import { pause, summaryOf } from './support/load.ts';

const REPLICAS = 3;
const FROZEN_MS = isLong ? 5_000 : 2_000;
const PER_SECOND = 200;
const PER_MINUTE = 120;
const BURST = 20;
const LIMITS_BACK_MS = 2_000;
/** As `local-share.ts` states it, for an outage within one minute. */
const LOCALLY_MAX = REPLICAS * Math.floor(PER_MINUTE / REPLICAS);

test(
  'a frozen Redis stops no known key, lets nobody beyond the local share, and every call is charged once',
  bounded,
  async (t) => {
    const redis = await startRedis();
    const ground = await openGround(t, { replicas: REPLICAS, redisUrl: () => redis.url });
    t.after(() => redis.stop());
    const { load } = ground;
    const free = await ground.caller('free', { limits: { max_concurrent: 300 } });
    const limited = await ground.caller('limited', {
      limits: { requests_per_minute: PER_MINUTE, burst_requests: BURST },
    });
    await ground.warm([free, limited]);

    const notReady = watchReady(t, ground.gateways);
    const end = load.begin(PER_SECOND, [free, limited]);
    await pause(500);
    redis.pause();
    const frozenAtMs = performance.now();
    while (performance.now() < frozenAtMs + FROZEN_MS) {
      await load.everywhere({ name: 'unknown', key: newSecret(newKeyId()) });
      await pause(100);
    }
    redis.resume();
    const backMs = await untilLimitsAreGlobal(ground, LIMITS_BACK_MS);
    await pause(500);
    await end();

    t.diagnostic(
      `unknown keys: ${summaryOf(load.of('unknown'))}; Redis decided again after ${backMs.toFixed(0)} ms`,
    );
    assert.deepEqual(await notReady(), []);
    servedThroughout(t, load.of('free', 'limited'));
    assert.ok(load.of('free').every(({ status }) => status === 200));
    inTime(load.of('unknown'));
    refusedAsUnavailable(load.of('unknown'));
    const admitted = load.of('limited').filter(({ status }) => status === 200);
    const [first = 0] = load.of('limited').map(({ sentAtMs }) => sentAtMs);
    const bucket = BURST + ((performance.now() - first) * PER_MINUTE) / 60_000 + 1;
    t.diagnostic(
      `limited: ${admitted.length} admitted, bucket ${bucket.toFixed(0)} + local shares ${LOCALLY_MAX}`,
    );
    assert.ok(admitted.length <= bucket + LOCALLY_MAX);
    await chargedIsAdmitted(t, ground, redis.url);
  },
);
