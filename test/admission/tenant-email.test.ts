/** No two tenants have the same e-mail address, whoever claims it when and whatever crashes in between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyStore, type KeyStore } from '../../src/admission/keys/key-store.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { configFor, must, newKey, openGround } from './ground.ts';

const ADDRESS = 'Team@Example.com';

async function email(store: KeyStore, name: string): Promise<string | null> {
  return must(await store.getTenant(name)).tenant.email;
}

async function claims({ ask, keys }: RedisConnection): Promise<readonly string[]> {
  const found = await ask((client) => client.keys(keys.email('*')));
  assert.ok(found.ok);
  return found.value;
}

async function refusalOf(
  result: ReturnType<KeyStore['updateTenant']> | ReturnType<KeyStore['createTenant']>,
) {
  const { ok, ...rest } = await result;
  return ok ? undefined : (rest as { refusal: { name: string; param: string | null } }).refusal;
}

test('an address belongs to one tenant, in whatever case it is written', async (t) => {
  const { store } = await openGround(t);
  must(await store.createTenant({ name: 'a', email: ADDRESS }));
  for (const taken of [ADDRESS, 'team@example.COM', 'TEAM@EXAMPLE.COM']) {
    const refused = await refusalOf(store.createTenant({ name: 'b', email: taken }));
    assert.deepEqual([refused?.name, refused?.param], ['conflict', 'email']);
  }
  assert.equal((await refusalOf(store.getTenant('b') as never))?.name, 'not_found');
  must(await store.createTenant({ name: 'b' }));
  assert.equal((await refusalOf(store.updateTenant('b', { email: ADDRESS })))?.name, 'conflict');
  assert.equal(await email(store, 'b'), null);
  // It may write its own anew.
  must(await store.updateTenant('a', { email: 'team@example.com' }));
  assert.equal(await email(store, 'a'), 'team@example.com');
  assert.equal((await refusalOf(store.updateTenant('b', { email: ADDRESS })))?.name, 'conflict');
});

test('an address that a tenant gives up is free at once', async (t) => {
  const { store, connection } = await openGround(t);
  must(await store.createTenant({ name: 'a', email: ADDRESS }));
  must(await store.updateTenant('a', { email: 'other@example.com' }));
  must(await store.createTenant({ name: 'b', email: ADDRESS }));
  must(await store.updateTenant('a', { email: null }));
  must(await store.updateTenant('b', { email: 'other@example.com' }));
  assert.deepEqual(await claims(connection), ['sluice:1:email:other@example.com']);
  must(await store.updateTenant('b', { status: 'disabled' }));
  assert.equal(await email(store, 'b'), 'other@example.com');
});

test('a write that is refused leaves no claim behind', async (t) => {
  const { store, connection } = await openGround(t);
  await newKey(store, 'a');
  assert.equal((await refusalOf(store.createTenant({ name: 'a', email: ADDRESS })))?.name, 'conflict');
  assert.equal((await refusalOf(store.updateTenant('nobody', { email: ADDRESS })))?.name, 'not_found');
  assert.deepEqual(await claims(connection), []);
  // The tenant is there with that very address: the one that comes too late must not take it away.
  must(await store.updateTenant('a', { email: ADDRESS }));
  assert.equal((await refusalOf(store.createTenant({ name: 'a', email: ADDRESS })))?.name, 'conflict');
  assert.equal((await refusalOf(store.createTenant({ name: 'b', email: ADDRESS })))?.param, 'email');
});

test('of many tenants that claim one address at once through several gateways, one gets it', async (t) => {
  const { redis, connect, store } = await openGround(t);
  const stores = await Promise.all(
    [1, 2, 3].map(async () =>
      createKeyStore({ redis: await connect(), config: configFor(redis), now: Date.now }),
    ),
  );
  const names = Array.from({ length: 30 }, (_, index) => `tenant-${index}`);
  const results = await Promise.all(
    names.map((name, index) => (stores[index % 3] as KeyStore).createTenant({ name, email: ADDRESS })),
  );
  assert.equal(results.filter(({ ok }) => ok).length, 1);
  const { tenants } = must(await store.listTenants({ limit: 100 }));
  assert.deepEqual(
    tenants.map((tenant) => tenant.email),
    [ADDRESS],
  );
});

test('a claim that no record bears out is taken over after a minute, and by its own tenant at once', async (t) => {
  const { redis, connection, connect } = await openGround(t);
  let nowMs = Date.now();
  const store = createKeyStore({ redis: await connect(), config: configFor(redis), now: () => nowMs });
  // Its gateway died before it wrote the record.
  const text = JSON.stringify({ tenant: 'a', claimed_at_ms: nowMs });
  await connection.ask((client) => client.set(connection.keys.email(ADDRESS.toLowerCase()), text));
  nowMs += 59_000;
  assert.equal((await refusalOf(store.createTenant({ name: 'b', email: ADDRESS })))?.name, 'conflict');
  must(await store.createTenant({ name: 'a', email: ADDRESS }));
  await connection.ask((client) => client.set(connection.keys.email('other@example.com'), text));
  nowMs += 2_000;
  must(await store.createTenant({ name: 'b', email: 'other@example.com' }));
  // But a record bears this one out, however old the claim is.
  nowMs += 3_600_000;
  assert.equal((await refusalOf(store.createTenant({ name: 'c', email: ADDRESS })))?.param, 'email');
});
