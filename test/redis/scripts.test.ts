import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { plainKey } from '../../src/admission/keys/key-fields.ts';
import { configSchema } from '../../src/config/schema.ts';
import { noAccessRules } from '../../src/core/access.ts';
import { noAllowance, noLimits } from '../../src/core/limits.ts';
import { usualJobTerms } from '../../src/core/principal.ts';
import { noCharge } from '../../src/core/ticket.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import type { StoredKey } from '../../src/redis/key-records.ts';
import { keyTable } from '../../src/redis/key-table.ts';
import { type Scope, type TicketRequest, ticketTable } from '../../src/redis/ticket-table.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startRedis } from '../support/redis.ts';

const stored: StoredKey = {
  id: 'key_000000000001',
  tenant: 'acme',
  name: 'web',
  status: 'active',
  origin: 'generated',
  ...noAllowance,
  ...plainKey,
  policy: null,
  oversize_rule: null,
  created_at: '2024-01-01T00:00:00.000Z',
  expires_at: null,
  rotated_at: null,
  revision: 1,
  secrets: [{ digest: 'd', not_after: null }],
};
const tenant = {
  name: 'acme',
  status: 'active',
  policy: null,
  answer_metadata: false,
  show_attempts: false,
  priority: 'normal',
  ...usualJobTerms,
  ...{ ...noAccessRules, require_jwt: false, email: null },
  ...noAllowance,
  created_at: '2024-01-01T00:00:00.000Z',
  revision: 1,
} as const;

async function open(t: TestContext) {
  const redis = await startRedis();
  const config = configSchema.parse({
    secret: 'a secret of at least 32 characters',
    redis: { url: redis.url },
  });
  const connection = connectRedis(config.redis, createLogger('silent', {}, { write: () => undefined }));
  t.after(async () => {
    connection.close();
    await redis.stop();
  });
  await connection.reached();
  return { connection, table: keyTable(connection) };
}

test('create-key writes record, tenant and index together, once', async (t) => {
  const { connection, table } = await open(t);
  assert.deepEqual(await table.createKey(stored, tenant, 1_000), { ok: true, value: true });
  const other = { ...stored, name: 'other' };
  const renamed = { ...tenant, created_at: '2025-01-01T00:00:00.000Z' };
  assert.deepEqual(await table.createKey(other, renamed, 2_000), { ok: true, value: false });

  const raw = await connection.ask((client) =>
    Promise.all([
      client.get('sluice:1:{acme}:key:key_000000000001'),
      client.get('sluice:1:{acme}:tenant'),
      client.zrange('sluice:1:{acme}:keys', 0, '-1', 'WITHSCORES'),
    ]),
  );
  assert.ok(raw.ok);
  assert.deepEqual(JSON.parse(raw.value[0] ?? ''), stored);
  assert.deepEqual(JSON.parse(raw.value[1] ?? ''), tenant);
  assert.deepEqual(raw.value[2].flat().map(String), ['key_000000000001', '1000']);
});

test('replace-record writes only over the revision that was read', async (t) => {
  const { table } = await open(t);
  await table.createKey(stored, tenant, 1_000);
  assert.deepEqual(await table.replaceKey({ ...stored, revision: 2 }), { ok: true, value: true });
  assert.deepEqual(await table.replaceKey({ ...stored, revision: 2, name: 'late' }), {
    ok: true,
    value: false,
  });
  assert.deepEqual(await table.replaceKey({ ...stored, id: 'key_absent', revision: 2 }), {
    ok: true,
    value: false,
  });
  assert.deepEqual(await table.replaceTenant({ ...tenant, status: 'disabled', revision: 2 }), {
    ok: true,
    value: true,
  });
});

test('a server that has lost its scripts is given them again, unnoticed', async (t) => {
  const { connection, table } = await open(t);
  await table.createKey(stored, tenant, 1_000);
  await table.replaceKey({ ...stored, revision: 2 });
  await connection.ask((client) => client.script('FLUSH'));
  assert.deepEqual(await table.replaceKey({ ...stored, revision: 3 }), { ok: true, value: true });
});

test('create-key writes what was used before into the account of the key, in the same step', async (t) => {
  const { connection, table } = await open(t);
  await table.createKey(stored, tenant, 1_000, 17);
  assert.deepEqual(await table.createKey(stored, tenant, 1_000, 99), { ok: true, value: false });
  await table.createKey({ ...stored, id: 'key_000000000002' }, tenant, 1_000);
  const raw = await connection.ask((client) =>
    Promise.all([
      client.hget('sluice:1:{acme}:account:key:key_000000000001', '5'),
      client.exists('sluice:1:{acme}:account:key:key_000000000002'),
    ]),
  );
  assert.deepEqual(raw, { ok: true, value: ['0 17 0 0 0 0', 0] });
});

test('a record of an earlier release is read as unlimited, and fields of a later one are kept', async (t) => {
  const { connection, table } = await open(t);
  const { limits: _limits, quotas: _quotas, models: _models, ...older } = tenant;
  const newer = { ...stored, limits: { requests_per_minute: 5, frames_per_minute: 1 }, colour: 'blue' };
  await connection.ask((client) =>
    Promise.all([
      client.set('sluice:1:{acme}:tenant', JSON.stringify(older)),
      client.set('sluice:1:{acme}:key:key_000000000001', JSON.stringify(newer)),
      client.set('sluice:1:owner:key_000000000001', 'acme'),
    ]),
  );
  assert.deepEqual(await table.findTenant('acme'), { ok: true, value: tenant });
  const found = await table.findById('key_000000000001');
  const limits = { ...noLimits, requests_per_minute: 5, frames_per_minute: 1 };
  assert.deepEqual(found, { ok: true, value: { ...stored, limits, colour: 'blue' } });
});

test('create-tenant writes a tenant once', async (t) => {
  const { table } = await open(t);
  assert.deepEqual(await table.createTenant(tenant), { ok: true, value: true });
  assert.deepEqual(await table.createTenant({ ...tenant, revision: 9 }), { ok: true, value: false });
  assert.deepEqual(await table.findTenant('acme'), { ok: true, value: tenant });
  const page = await table.pageOfTenants(10);
  assert.deepEqual(page.ok && page.value.records, [tenant]);
});

test('every change of a key or of its tenant moves the version of the tenant on, and a lost race does not', async (t) => {
  const { connection, table } = await open(t);
  await table.createKey(stored, tenant, 1_000);
  const version = async () => {
    const found = await table.findTenantVersioned('acme');
    return found.ok && found.value.version;
  };
  assert.equal(await version(), 0);
  await table.replaceKey({ ...stored, revision: 2 });
  assert.equal(await version(), 1);
  await table.replaceTenant({ ...tenant, revision: 2 });
  assert.equal(await version(), 2);
  await table.replaceTenant({ ...tenant, revision: 2 });
  assert.equal(await version(), 2);
  const raw = await connection.ask((client) => client.hget('sluice:1:{acme}:meta', 'version'));
  assert.deepEqual(raw, { ok: true, value: '2' });
});

test('admission counts what a key had used before against its total', async (t) => {
  const { connection, table } = await open(t);
  await table.createKey(stored, tenant, 1_000, 3);
  const scope: Scope = {
    name: `key:${stored.id}`,
    requests: { perMinute: undefined, burst: undefined },
    tokens: { perMinute: undefined, burst: undefined },
    slots: undefined,
    quotas: [{ period: 5, max: [5, undefined, undefined, undefined, undefined] }],
  };
  const request = (ticket: string): TicketRequest => ({
    ticket,
    keyId: stored.id,
    model: 'm',
    scopes: [undefined, scope, undefined, undefined],
    parts: { quota: true, rate: true, slot: true },
    charge: { ...noCharge, requests: 1 },
  });
  const admitted = await ticketTable(connection).admit('acme', 0, 15_000, ['1', '2', '3'].map(request));
  assert.ok(admitted.ok && admitted.value !== 'stale');
  const codes = admitted.value.verdicts.map(({ code }) => code);
  // 251: the key's quota of requests in total.
  assert.deepEqual(codes, [0, 0, 251]);
});
