/** D8: during an upgrade the release before this one and this one serve the same keys. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TestGateway, until } from '../../support/gateway.ts';
import { startRedis } from '../../support/redis.ts';
import { burstNeeded } from '../support/checker.ts';
import { allCallsKept, bounded, isLong, openGround, TENANT } from './support/ground.ts';
import { type Caller, pause, summaryOf } from './support/load.ts';
import { OLD_RELEASE, unpackRelease } from './support/old-release.ts';

const OLD = 2;
const REPLICAS = 3;
const PER_SECOND = 150;
const PER_MINUTE = 600;
const BURST = 20;
const DURATION_MS = isLong ? 60_000 : 2_000;
const CHANGED_MS = 3_000;

const limits = { requests_per_minute: PER_MINUTE, burst_requests: BURST };

test(
  'old and new release serve the same keys, whoever made or changed them, and the new one keeps its limits exact',
  bounded,
  async (t) => {
    const main = await unpackRelease(t, OLD_RELEASE);
    if (main === undefined) return t.skip(`the history does not reach back to ${OLD_RELEASE}`);
    const redis = await startRedis();
    const ground = await openGround(t, {
      replicas: REPLICAS,
      redisUrl: () => redis.url,
      main: (replica) => (replica === OLD ? main : undefined),
      config: (replica) => (replica === OLD ? {} : allCallsKept),
    });
    t.after(() => redis.stop());
    const { load, gateways } = ground;
    const [first, , old] = gateways;
    assert.ok(first && old);
    const make = async (gateway: TestGateway, name: string, wanted = {}) => {
      return { ...(await gateway.createKey({ tenant: TENANT, name, ...wanted })), name };
    };
    const answers = async (caller: Caller) => (await load.everywhere(caller)).map(({ status }) => status);
    const becomes = (caller: Caller, statuses: readonly number[]) =>
      until(
        async () => String(await answers(caller)) === String(statuses),
        `${caller.name} to answer ${statuses}`,
        CHANGED_MS,
      );

    await t.test('keys made by either are served by both', async () => {
      for (const gateway of [old, first]) {
        assert.deepEqual(await answers(await make(gateway, 'plain')), [200, 200, 200]);
        assert.deepEqual(
          await answers(await make(gateway, 'of one model', { models: ['m'] })),
          [200, 200, 200],
        );
        assert.deepEqual(
          await answers(await make(gateway, 'of another', { models: ['other'] })),
          [403, 403, 403],
        );
      }
      const limited = await make(first, 'with all that is new', {
        limits: { ...limits, tokens_per_minute: 100_000, max_concurrent: 8 },
        quotas: [{ period: 'day', requests: 1_000, cost_usd: 5 }],
      });
      assert.deepEqual(await answers(limited), [200, 200, 200]);
      // The old release knows no limits of a model, and still which models there are.
      const limitedByModel = await make(first, 'limited by model', { models: { m: limits } });
      assert.deepEqual(await answers(limitedByModel), [200, 200, 200]);
      const ofAnother = await make(first, 'limited by another', { models: { other: limits } });
      assert.deepEqual(await answers(ofAnother), [403, 403, 403]);
    });

    await t.test('what either changes holds in both', async () => {
      for (const [one, another] of [
        [old, first],
        [first, old],
      ] as const) {
        const revoked = await make(another, 'revoked');
        assert.deepEqual(await answers(revoked), [200, 200, 200]);
        assert.equal((await one.admin('DELETE', `/keys/${revoked.id}`)).status, 200);
        await becomes(revoked, [401, 401, 401]);
        const disabled = await make(another, 'disabled');
        assert.deepEqual(await answers(disabled), [200, 200, 200]);
        assert.equal((await one.admin('PATCH', `/keys/${disabled.id}`, { status: 'disabled' })).status, 200);
        await becomes(disabled, [401, 401, 401]);
        assert.equal(
          (await another.admin('PATCH', `/keys/${disabled.id}`, { status: 'active' })).status,
          200,
        );
        await becomes(disabled, [200, 200, 200]);
      }
    });

    await t.test(
      'a change by the old release keeps what only the new one knows, and both list all keys',
      async () => {
        const { id } = await make(first, 'renamed', {
          limits,
          models: { m: limits },
          quotas: [{ period: 'month', tokens: 5_000 }],
        });
        const before = (await first.admin('GET', `/keys/${id}`)).body;
        assert.equal((await old.admin('PATCH', `/keys/${id}`, { name: 'by the old one' })).status, 200);
        const after = (await first.admin('GET', `/keys/${id}`)).body;
        assert.deepEqual(after, { ...before, name: 'by the old one', revision: Number(before.revision) + 1 });
        const rotated = await old.admin('POST', `/keys/${id}/rotate`, {});
        assert.equal(rotated.status, 200);
        assert.deepEqual(await answers({ name: 'rotated', key: String(rotated.body.key) }), [200, 200, 200]);
        assert.deepEqual((await first.admin('GET', `/keys/${id}`)).body.limits, before.limits);
        const count = async (gateway: TestGateway) =>
          ((await gateway.admin('GET', '/keys')).body.data as unknown[]).length;
        assert.equal(await count(old), await count(first));
      },
    );

    await t.test('the limits of the new release are exact beside the old one', async () => {
      const limited = await make(first, 'limited', { limits });
      await until(async () =>
        (await Promise.all([gateways[0], gateways[1]].map((one) => one?.metric('sluice_replicas')))).every(
          (alive) => alive === 2,
        ),
      );
      const end = load.begin(PER_SECOND, [limited]);
      // Changes by the old release drop the records, and touch no limit.
      for (const endMs = performance.now() + DURATION_MS; performance.now() < endMs; await pause(200)) {
        assert.equal(
          (await old.admin('PATCH', `/keys/${limited.id}`, { name: String(performance.now()) })).status,
          200,
        );
      }
      await end();
      const byNew = load.of('limited').filter(({ replica }) => replica !== OLD);
      const admitted = byNew.filter(({ status }) => status === 200);
      const spans = admitted.map(({ sentAtMs, tookMs }) => ({
        fromMs: sentAtMs,
        toMs: sentAtMs + tookMs,
        amount: 1,
      }));
      const needed = burstNeeded(spans, PER_MINUTE);
      const due = BURST + (DURATION_MS * PER_MINUTE) / 60_000;
      t.diagnostic(
        `new: ${summaryOf(byNew)}; a burst of ${needed.toFixed(1)} would be needed, it has ${BURST}`,
      );
      t.diagnostic(`old: ${summaryOf(load.of('limited').filter(({ replica }) => replica === OLD))}`);
      assert.deepEqual([...new Set(byNew.map(({ status }) => status))].sort(), [200, 429]);
      assert.ok(needed <= BURST + 1, `a burst of ${needed}`);
      assert.ok(admitted.length >= 0.9 * due, `${admitted.length} of ${due}`);
    });
  },
);
