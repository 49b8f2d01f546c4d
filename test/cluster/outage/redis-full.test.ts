/** D7: Redis takes no more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRedis } from '../../support/redis.ts';
import { bounded, isLong, openGround, TENANT } from './support/ground.ts';
import {
  chargedIsAdmitted,
  servedThroughout,
  settledBooks,
  untilLimitsAreGlobal,
  watchReady,
} from './support/judge.ts';
import { ask } from './support/killable-redis.ts';
import { pause, summaryOf } from './support/load.ts';

const REPLICAS = 2;
const PER_SECOND = 100;
const FULL_MS = isLong ? 20_000 : 2_000;
const LIMITS_BACK_MS = 2_000;
const PER_MINUTE = 60;
const BURST = 10;
const LOCALLY_MAX = REPLICAS * Math.floor(PER_MINUTE / REPLICAS);

test(
  'while Redis is full, calls that run are billed, new ones are decided, and nothing is lost',
  bounded,
  async (t) => {
    const redis = await startRedis({ extra: ['--maxmemory-policy', 'noeviction'] });
    const memory = (bytes: string) => ask(redis.port, 'config', 'set', 'maxmemory', bytes);
    const ground = await openGround(t, { replicas: REPLICAS, redisUrl: () => redis.url });
    t.after(() => redis.stop());
    const { load, simulator } = ground;
    const known = await ground.caller('known', {
      limits: { max_concurrent: 300, requests_per_minute: 100_000 },
    });
    const limited = await ground.caller('limited', {
      limits: { requests_per_minute: PER_MINUTE, burst_requests: BURST },
    });
    const newcomer = await ground.caller('newcomer');
    await ground.warm([known, limited]);
    const notReady = watchReady(t, ground.gateways);

    const running = { name: 'running', key: known.key };
    simulator.addFault({ first_token_ms: 700, calls: 20 });
    const calls = Array.from({ length: 20 }, () => load.call(running));
    const atStart = simulator.counts.started;
    await simulator.until(({ running: now, started }) => now === 20 || started - atStart >= 20);
    await memory('1');
    await Promise.all(calls);
    const billed = await settledBooks(t, ground, redis.url);
    const linesOfRunning = new Set(load.of('running').map(({ id }) => id));
    assert.equal(billed.lines.filter(({ request_id }) => linesOfRunning.has(request_id)).length, 20);

    const refused = await ground.gateways[0]?.admin('POST', '/keys', { tenant: TENANT, name: 'refused' });
    assert.equal(refused?.status, 503, 'an admin write is not answered as if it were done');
    const fresh = await load.everywhere({ ...newcomer, name: 'fresh' });
    assert.deepEqual(
      fresh.map(({ status }) => status),
      [200, 200],
      'keys can be read',
    );

    const end = load.begin(PER_SECOND, [known, limited]);
    await pause(FULL_MS);
    await memory('0');
    const backMs = await untilLimitsAreGlobal(ground, LIMITS_BACK_MS);
    await pause(300);
    await end();

    t.diagnostic(
      `limited: ${summaryOf(load.of('limited'))}; Redis decided again after ${backMs.toFixed(0)} ms`,
    );
    assert.deepEqual(await notReady(), []);
    servedThroughout(t, load.of('known', 'limited', 'running'));
    const admitted = load.of('limited').filter(({ status }) => status === 200);
    const [first = 0] = load.of('limited').map(({ sentAtMs }) => sentAtMs);
    const bucket = BURST + ((performance.now() - first) * PER_MINUTE) / 60_000 + 1;
    assert.ok(admitted.length <= bucket + LOCALLY_MAX, `${admitted.length} admitted`);
    await chargedIsAdmitted(t, ground, redis.url);
  },
);
