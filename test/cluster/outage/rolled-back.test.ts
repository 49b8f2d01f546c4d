/** D2: Redis comes back with older data. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { keys } from '../support/books.ts';
import { bounded, isLong, openGround, TENANT, TOLERANCE } from './support/ground.ts';
import { chargedSince, servedThroughout, untilLimitsAreGlobal, watchReady } from './support/judge.ts';
import { startKillableRedis } from './support/killable-redis.ts';
import { pause, summaryOf } from './support/load.ts';

const REPLICAS = 3;
const PER_SECOND = 200;
const AWAY_MS = isLong ? 5_000 : 1_000;
const LIMITS_BACK_MS = 2_000;
const PROPAGATION_MS = 1_000;

test(
  'a Redis that was rolled back gives no revoked key its life again, and all others go on',
  bounded,
  async (t) => {
    const redis = await startKillableRedis({ appendOnly: false });
    const ground = await openGround(t, { replicas: REPLICAS, redisUrl: () => redis.url });
    t.after(() => redis.stop());
    const { load, gateways } = ground;
    const known = await ground.caller('known', { limits: { requests_per_minute: 100_000 } });
    const revoked = await ground.caller('revoked');
    const recent = await ground.caller('revoked at the last moment');
    await ground.warm([known, revoked, recent]);
    await redis.call('save');

    const revoke = async (replica: number, id: string) => {
      assert.equal((await gateways[replica]?.admin('DELETE', `/keys/${id}`))?.status, 200);
      return performance.now();
    };
    const notReady = watchReady(t, gateways);
    const end = load.begin(PER_SECOND, [known, revoked, recent]);
    const revokedAtMs = await revoke(0, revoked.id);
    await pause(500);
    const recentAtMs = await revoke(1, recent.id);
    await redis.kill();
    const goneAtMs = performance.now();
    await pause(AWAY_MS);
    await redis.restart('with');
    const backAtMs = performance.now();
    const backMs = await untilLimitsAreGlobal(ground, LIMITS_BACK_MS);
    const statusOf = async (id: string) =>
      JSON.parse(String(await redis.call('get', keys.key(TENANT, id)))).status;
    await until(
      async () => (await statusOf(revoked.id)) === 'revoked',
      'the revocation',
      TOLERANCE * LIMITS_BACK_MS,
    );
    await until(
      async () => (await statusOf(recent.id)) === 'revoked',
      'the revocation',
      TOLERANCE * LIMITS_BACK_MS,
    );
    const putRightMs = performance.now() - backAtMs;
    t.diagnostic(
      `Redis decided again after ${backMs.toFixed(0)} ms, and knew both revocations after ${putRightMs.toFixed(0)}`,
    );
    await pause(isLong ? 30_000 : 1_000);
    await end();

    assert.deepEqual(await notReady(), []);
    servedThroughout(t, load.of('known'));
    for (const [{ name }, atMs] of [
      [revoked, revokedAtMs],
      [recent, recentAtMs],
    ] as const) {
      const later = load.of(name).filter(({ sentAtMs }) => sentAtMs > atMs);
      t.diagnostic(`${name}: ${summaryOf(later)} behind its revocation`);
      const lastServedMs = Math.max(
        0,
        ...later.flatMap(({ status, sentAtMs }) => (status === 200 ? [sentAtMs - atMs] : [])),
      );
      assert.ok(lastServedMs <= TOLERANCE * PROPAGATION_MS, `served ${lastServedMs} ms after it was revoked`);
      const back = later.filter(({ sentAtMs }) => sentAtMs > backAtMs);
      assert.deepEqual(
        back.filter(({ status }) => status === 200),
        [],
        'it lives again',
      );
      assert.ok(back.some(({ status }) => status === 401));
    }
    await chargedSince(t, ground, redis.url, goneAtMs);
  },
);

test(
  'a revocation that was heard holds, even if Redis had lost it before anybody read the record',
  bounded,
  async (t) => {
    const redis = await startKillableRedis({ appendOnly: false });
    const ground = await openGround(t, { replicas: 2, redisUrl: () => redis.url });
    t.after(() => redis.stop());
    const revoked = await ground.caller('revoked');
    await ground.warm([revoked]);
    // All that is left of the change: the message. The record says what it said before.
    const message = {
      kind: 'key',
      tenant: TENANT,
      key: revoked.id,
      ended: { status: 'revoked', revision: 2 },
    };
    assert.equal(
      await redis.call('publish', keys.invalidations(), JSON.stringify(message)),
      4,
      'two listeners of each replica',
    );
    const statuses = async () => String((await ground.load.everywhere(revoked)).map(({ status }) => status));
    await until(async () => (await statuses()) === '401,401', 'the key to be refused');
    const record = async () => JSON.parse(String(await redis.call('get', keys.key(TENANT, revoked.id))));
    assert.equal((await record()).status, 'active');
    await redis.call('client', 'kill', 'type', 'normal');
    await until(async () => (await record()).status === 'revoked', 'the change to be made again');
    assert.equal(await statuses(), '401,401');
  },
);
