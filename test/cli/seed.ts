/** A large installation in a Redis of a test: 10,000 keys, a year of usage, an audit trail that is full. */
import { createKeyStore } from '../../src/admission/keys/key-store.ts';
import { configSchema } from '../../src/config/schema.ts';
import { auditTable } from '../../src/redis/audit-table.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { keyUseTable } from '../../src/redis/key-use-table.ts';
import { SECRET } from '../admin/fixture.ts';

export const TENANT = 'acme';
const KEYS = 10_000;
/** Half of the keys are of one tenant, the others of many. */
const OTHER_TENANTS = 500;
const MONTHS = 12;
const DAYS = 35;
const TOTAL_DAYS = 365;
/** Keys of the tenant that were used on each of the last days. */
const KEYS_OF_DAY = 400;
const MODELS = 5;
const CALLS = 10_000;
const AUDIT_ENTRIES = 10_000;
const AT_ONCE = 100;
const DAY_MS = 86_400_000;

export async function seed(connection: RedisConnection, nowMs: number): Promise<void> {
  const ids = await seedKeys(connection, nowMs);
  const ofTenant = ids.filter((_, index) => tenantOf(index) === TENANT);
  await seedUsage(connection, ofTenant, nowMs);
  await seedCalls(connection, ofTenant);
  await seedAudit(connection, ids, nowMs);
}

function tenantOf(index: number): string {
  return index % 2 === 0 ? TENANT : `team-${index % OTHER_TENANTS}`;
}

/** Over the year, one after the other; each tenth has been used lately. */
async function seedKeys(connection: RedisConnection, nowMs: number): Promise<string[]> {
  const config = configSchema.parse({ secret: SECRET });
  let clockMs = nowMs;
  const store = createKeyStore({ redis: connection, config, now: () => clockMs });
  const ids: string[] = [];
  for (let from = 0; from < KEYS; from += AT_ONCE) {
    const made = Array.from({ length: AT_ONCE }, (_, offset) => {
      const index = from + offset;
      clockMs = nowMs - Math.round(((KEYS - index) / KEYS) * 365 * DAY_MS);
      const tags = index % 1_000 === 0 ? ['rare'] : [];
      return store.create({ tenant: tenantOf(index), name: `key ${index}`, tags, expires_at: null });
    });
    for (const key of await Promise.all(made)) {
      if (!key.ok) throw new Error(key.refusal.message);
      ids.push(key.record.id);
    }
  }
  const used = ids.flatMap((id, index) =>
    index % 10 === 0 ? [{ tenant: tenantOf(index), id, atMs: nowMs }] : [],
  );
  await keyUseTable(connection).note(used);
  return ids;
}

/** As settle.lua writes the books; its clock cannot be put back. */
async function seedUsage(
  { ask, keys }: RedisConnection,
  ids: readonly string[],
  nowMs: number,
): Promise<void> {
  const hashes: string[] = [];
  const indexes: (readonly [string, string[]])[] = [];
  const dayBefore = (days: number) => new Date(nowMs - days * DAY_MS).toISOString().slice(0, 10);
  const pairOf = (id: string, index: number) => [id, `model-${index % MODELS}`] as const;
  const [year = 0, month = 1] = dayBefore(0).split('-').map(Number);
  for (let back = 0; back < MONTHS; back += 1) {
    const span = new Date(Date.UTC(year, month - 1 - back)).toISOString().slice(0, 7);
    const pairs = ids.map(pairOf);
    indexes.push([keys.usageIndex(TENANT, span), pairs.map((pair) => pair.join(' '))]);
    hashes.push(...pairs.map(([id, model]) => keys.usage(TENANT, span, id, model)));
  }
  for (let back = 0; back < TOTAL_DAYS; back += 1) {
    const span = dayBefore(back);
    hashes.push(keys.usage(TENANT, span, '*', '*'));
    if (back >= DAYS) continue;
    hashes.push(
      ...ids
        .slice(0, KEYS_OF_DAY)
        .map(pairOf)
        .map(([id, model]) => keys.usage(TENANT, span, id, model)),
    );
  }
  const book = `for _, name in ipairs(ARGV) do
    redis.call('HSET', name, 'c', 9, 'e', 1, 'l', 0, 'i', 9000, 'o', 900, 'h', 90, 'p', 0, 'g', 1500, 'n', 450000, 'd', 12000)
  end`;
  const done = await ask(async (client) => {
    for (let at = 0; at < hashes.length; at += 1_000)
      await client.eval(book, 0, ...hashes.slice(at, at + 1_000));
    for (const [index, members] of indexes) await client.sadd(index, ...members);
  });
  if (!done.ok) throw new Error(done.failure.cause);
}

async function seedCalls({ ask, keys }: RedisConnection, ids: readonly string[]): Promise<void> {
  const add = `for index = 1, tonumber(ARGV[1]) do
    redis.call('XADD', KEYS[1], '*', 'id', 'request-' .. index, 'key', ARGV[1 + index % (#ARGV - 1) + 1], 'route',
      '/v1/chat/completions', 'model', 'model-1', 'status', 200, 'input', 1000, 'output', 100, 'cached', 0, 'images', 0,
      'gpu_ms', 1500, 'ms', 1200, 'nano_usd', 50000)
  end`;
  const done = await ask((client) => client.eval(add, 1, keys.calls(TENANT), CALLS, ...ids.slice(0, 100)));
  if (!done.ok) throw new Error(done.failure.cause);
}

async function seedAudit(connection: RedisConnection, ids: readonly string[], nowMs: number): Promise<void> {
  const table = auditTable(connection, AUDIT_ENTRIES);
  for (let from = 0; from < AUDIT_ENTRIES; from += AT_ONCE) {
    const written = Array.from({ length: AT_ONCE }, (_, offset) => {
      const index = from + offset;
      return table.append({
        at: new Date(nowMs - (AUDIT_ENTRIES - index) * 1_000).toISOString(),
        ...{
          actor: 'root',
          actor_name: 'root',
          role: 'owner',
          address: '10.0.0.9',
          request_id: `r-${index}`,
        },
        action: index % 500 === 0 ? 'tenant.update' : 'key.update',
        outcome: 'done',
        subject: { key: ids[index] ?? '', tenant: tenantOf(index) },
        changes: { 'limits.requests_per_minute': { before: 100, after: 200 } },
        counts: {},
      });
    });
    const failed = (await Promise.all(written)).find(({ ok }) => !ok);
    if (failed) throw new Error('an entry was not written');
  }
}
