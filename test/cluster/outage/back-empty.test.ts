/** D2: Redis comes back without any data. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKeyId, newSecret } from '../../../src/admission/keys/key-format.ts';
import { until } from '../../support/gateway.ts';
import { bounded, isLong, openGround, TENANT, TOLERANCE } from './support/ground.ts';
import { chargedSince, refusedAsUnavailable, servedThroughout, watchReady } from './support/judge.ts';
import { startKillableRedis } from './support/killable-redis.ts';
import { pause, summaryOf } from './support/load.ts';

const REPLICAS = 3;
const PER_SECOND = 150;
const AWAY_MS = isLong ? 5_000 : 1_000;
const LOST_MS = isLong ? 20_000 : 2_000;
const ALERT_MS = 2_000;

test(
  'a Redis that is back empty: known keys are served, unknown ones get 503 and an alert stands, until it is accepted',
  bounded,
  async (t) => {
    const redis = await startKillableRedis({ appendOnly: false });
    const ground = await openGround(t, { replicas: REPLICAS, redisUrl: () => redis.url });
    t.after(() => redis.stop());
    const { load, gateways } = ground;
    const [first] = gateways;
    assert.ok(first);
    const known = await ground.caller('known', { limits: { requests_per_minute: 100_000 } });
    // So that the version of its records is not that of a tenant that there never was.
    await first.admin('PATCH', `/tenants/${TENANT}`, { limits: { requests_per_minute: 200_000 } });
    await ground.warm([known]);
    const notReady = watchReady(t, gateways);
    const end = load.begin(PER_SECOND, [known]);
    await pause(300);
    await redis.kill();
    const lostAtMs = performance.now();
    await pause(AWAY_MS);
    await redis.restart('without');
    const backAtMs = performance.now();
    const areLost = async () =>
      (await ground.metrics('sluice_installation_lost')).every((lost) => lost === 1);
    const unknown = () => load.everywhere({ name: 'unknown', key: newSecret(newKeyId()) });
    await until(
      async () => {
        await unknown();
        return areLost();
      },
      'the alert of every replica',
      TOLERANCE * ALERT_MS,
    );
    t.diagnostic(`every replica missed its data after ${(performance.now() - backAtMs).toFixed(0)} ms`);
    while (performance.now() < backAtMs + LOST_MS) {
      await unknown();
      await pause(200);
    }
    assert.ok(await areLost(), 'it does not pass by itself');
    await end();

    assert.deepEqual(await notReady(), []);
    servedThroughout(t, load.of('known'));
    t.diagnostic(`unknown keys: ${summaryOf(load.of('unknown'))}`);
    refusedAsUnavailable(load.of('unknown'));
    await chargedSince(t, ground, redis.url, lostAtMs);

    assert.equal((await first.admin('POST', '/installation/accept')).status, 200);
    await until(
      async () =>
        !(await areLost()) && (await ground.metrics('sluice_installation_lost')).every((lost) => lost === 0),
    );
    const after = await load.everywhere({ name: 'after', key: newSecret(newKeyId()) });
    assert.deepEqual(
      after.map(({ status }) => status),
      [401, 401, 401],
    );
    const made = await ground.caller('made after');
    assert.deepEqual(
      (await load.everywhere(made)).map(({ status }) => status),
      [200, 200, 200],
    );
  },
);
