/** D3: of the replies of Redis, one in a hundred is lost when its command has run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRedis } from '../../support/redis.ts';
import { startChaosProxy } from '../chaos-proxy.ts';
import { seededRandom } from '../seeded-random.ts';
import { bounded, isLong, openGround } from './support/ground.ts';
import { chargedIsAdmitted, servedThroughout } from './support/judge.ts';
import { pause } from './support/load.ts';

const REPLICAS = 3;
const PER_SECOND = 200;
const DURATION_MS = isLong ? 120_000 : 4_000;
const SEED = 20_261_121;

test(
  'when one reply in a hundred is lost after its command has run, every call is answered and charged once',
  bounded,
  async (t) => {
    const redis = await startRedis();
    const proxies = await Promise.all(Array.from({ length: REPLICAS }, () => startChaosProxy(redis.port)));
    t.after(() => Promise.all(proxies.map((proxy) => proxy.stop())));
    const ground = await openGround(t, {
      replicas: REPLICAS,
      redisUrl: (replica) => proxies[replica]?.url ?? '',
    });
    t.after(() => redis.stop());
    const known = await ground.caller('known', {
      limits: { max_concurrent: 300, requests_per_minute: 100_000, tokens_per_minute: 10_000_000 },
      quotas: [{ period: 'total', requests: 1_000_000 }],
    });
    await ground.warm([known]);
    for (const [replica, proxy] of proxies.entries()) {
      proxy.dropReplies({ probability: 0.01, random: seededRandom(SEED + replica) });
    }
    const end = ground.load.begin(PER_SECOND, [known]);
    await pause(DURATION_MS);
    await end();
    for (const proxy of proxies) proxy.dropReplies(undefined);

    const stats = proxies.map((proxy) => proxy.stats());
    const lost = stats.reduce((sum, { droppedReplies }) => sum + droppedReplies, 0);
    t.diagnostic(`${lost} of ${stats.reduce((sum, { replies }) => sum + replies, 0)} replies lost`);
    assert.ok(lost >= 3, 'too few replies were lost to tell anything');
    servedThroughout(t, ground.load.of('known'));
    assert.ok(ground.load.calls.every(({ status }) => status === 200));
    await chargedIsAdmitted(t, ground, redis.url);
  },
);
