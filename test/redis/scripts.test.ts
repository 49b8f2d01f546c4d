import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import type { StoredKey } from '../../src/redis/key-records.ts';
import { keyTable } from '../../src/redis/key-table.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startRedis } from '../support/redis.ts';

const stored: StoredKey = {
  id: 'key_000000000001',
  tenant: 'acme',
  name: 'web',
  status: 'active',
  origin: 'generated',
  models: [],
  created_at: '2024-01-01T00:00:00.000Z',
  expires_at: null,
  rotated_at: null,
  revision: 1,
  secrets: [{ digest: 'd', not_after: null }],
};
const tenant = {
  name: 'acme',
  status: 'active',
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
