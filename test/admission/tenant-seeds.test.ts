import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createKeyStore } from '../../src/admission/keys/key-store.ts';
import { TenantSeeds } from '../../src/admission/tenant-seeds.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { configFor, must, openGround, until } from './ground.ts';

type Seeds = NonNullable<ConfigInput['tenants']>;

const acme = { name: 'acme', limits: { requests_per_minute: 5 }, answer_metadata: true };

async function openSeeds(t: TestContext, tenants: Seeds) {
  const ground = await openGround(t, { tenants });
  const config = configFor(ground.redis, {}, { tenants });
  const made: string[] = [];
  const log = createLogger('info', {}, { write: (line: string) => void made.push(JSON.parse(line).tenant) });
  const store = createKeyStore({ redis: await ground.connect(), config, now: Date.now });
  let failures = 0;
  const watched: typeof store = {
    ...store,
    async getTenant(name) {
      const found = await store.getTenant(name);
      if (!found.ok && found.refusal.name === 'store_unavailable') failures += 1;
      return found;
    },
  };
  return {
    ...ground,
    made,
    failures: () => failures,
    /** As a gateway does it that has just started. */
    start(isDataTrusted = () => true): void {
      const seeds = new TenantSeeds({ seeds: config.tenants, store: watched, isDataTrusted, log });
      t.after(() => seeds.stop());
      seeds.start();
    },
    async names() {
      const { tenants: found } = must(await ground.store.listTenants({ limit: 1_000 }));
      return found.map(({ name }) => name);
    },
  };
}

test('replicas that start together make each tenant of the configuration once', async (t) => {
  const tenants = Array.from({ length: 20 }, (_, index) => ({ ...acme, name: `team-${index + 10}` }));
  const { start, made, names, store } = await openSeeds(t, tenants);
  for (let replica = 0; replica < 5; replica += 1) start();
  await until(() => made.length >= 20);
  assert.deepEqual(
    await names(),
    tenants.map(({ name }) => name),
  );
  assert.deepEqual(
    made.toSorted(),
    tenants.map(({ name }) => name),
  );
  const { tenant } = must(await store.getTenant('team-10'));
  assert.deepEqual(
    [tenant.limits.requests_per_minute, tenant.answer_metadata, tenant.revision],
    [5, true, 1],
  );
});

test('a tenant that is there stays as it is', async (t) => {
  const { start, made, store } = await openSeeds(t, [acme, { name: 'last' }]);
  must(await store.createTenant({ name: 'acme', limits: { requests_per_minute: 70 } }));
  const changed = must(
    await store.updateTenant('acme', { status: 'disabled', answer_metadata: false }),
  ).tenant;
  start();
  await until(() => made.includes('last'));
  assert.deepEqual(must(await store.getTenant('acme')).tenant, changed);
  assert.deepEqual(made, ['last']);
});

test('while Redis does not answer it is tried again until the tenants are made', async (t) => {
  const { redis, start, made, failures } = await openSeeds(t, [acme]);
  redis.pause();
  start();
  await until(() => failures() >= 2, 10_000);
  redis.resume();
  await until(() => made.includes('acme'), 10_000);
});

test('nothing is made while the data in Redis may be gone', async (t) => {
  const { start, made, names } = await openSeeds(t, [acme]);
  let asked = 0;
  let trusted = false;
  start(() => {
    asked += 1;
    return trusted;
  });
  await until(() => asked >= 2);
  assert.deepEqual([made, await names()], [[], []]);
  trusted = true;
  await until(() => made.includes('acme'));
});
