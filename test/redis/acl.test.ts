/** The user of deploy/redis.acl.example may do all that a gateway does, and cannot leave its keys. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { noLimits } from '../../src/core/limits.ts';
import { noCharge } from '../../src/core/ticket.ts';
import { clusterTable } from '../../src/redis/cluster-table.ts';
import type { Answer } from '../../src/redis/connection.ts';
import { drainTable } from '../../src/redis/drain-table.ts';
import type { StoredKey } from '../../src/redis/key-records.ts';
import { keyTable } from '../../src/redis/key-table.ts';
import { learnedTable } from '../../src/redis/learned-table.ts';
import { sweepTable } from '../../src/redis/sweep-table.ts';
import { ticketTable } from '../../src/redis/ticket-table.ts';
import { usageTable } from '../../src/redis/usage-table.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { connected, redisConfig, runTicket } from './ground.ts';

const PASSWORD = 'for-this-test';
const NOW = '2026-11-21T00:00:00.000Z';
const example = new URL('../../deploy/redis.acl.example', import.meta.url);

let folder: string;
let redis: TestRedis;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-acl-'));
  const file = join(folder, 'sluice.acl');
  const digest = createHash('sha256').update(PASSWORD).digest('hex');
  await writeFile(file, (await readFile(example, 'utf8')).replace(/#0{64}/, `#${digest}`));
  redis = await startRedis({ extra: ['--include', file] });
});

after(async () => {
  await redis.stop();
  await rm(folder, { recursive: true });
});

test('every question of a gateway is allowed', async (t) => {
  const connection = await connected(t, redisConfig(redis.url.replace('//', `//sluice:${PASSWORD}@`)));
  const heard = Promise.withResolvers<string>();
  const listening = Promise.withResolvers<void>();
  const subscription = connection.subscribe(connection.keys.invalidations(), {
    subscribed: listening.resolve,
    received: heard.resolve,
  });
  t.after(() => subscription.close());
  await listening.promise;

  const allow = { limits: noLimits, quotas: [], models: null } as const;
  const tenant = {
    ...({ name: 'acme', status: 'active', answer_metadata: false, priority: 'normal' } as const),
    ...{ created_at: NOW, revision: 1 },
    ...allow,
  } as const;
  const record: StoredKey = {
    ...{ id: 'key_1', tenant: 'acme', name: 'web', status: 'active', origin: 'generated', ...allow },
    ...{ created_at: NOW, expires_at: null, rotated_at: null, revision: 1, secrets: [] },
  };
  const pointer = { tenant: 'acme', key: 'key_1' };
  const keys = keyTable(connection);
  await allowed(keys.claimSecret('digest', pointer));
  await allowed(keys.index(pointer, 1));
  await allowed(keys.createTenant({ ...tenant, name: 'other' }));
  await allowed(keys.createKey(record, tenant, 1, 5));
  await allowed(keys.findBySecret('digest'));
  await allowed(keys.findById('key_1'));
  await allowed(keys.findTenantVersioned('acme'));
  await allowed(keys.expireSecrets(['digest'], Date.now() + 60_000));
  await allowed(keys.pageOfKeys('acme', 10));
  await allowed(keys.pageOfKeys('acme', 10, 'key_1'));
  await allowed(keys.pageOfTenants(10));
  await allowed(keys.addForeignForm({ prefix: 'team-' }));
  await allowed(keys.foreignForms());
  assert.match(await heard.promise, /tenant/);

  assert.equal(await runTicket(connection, 'acme', 1), 'open');
  const tickets = ticketTable(connection);
  const settlement = {
    spent: { ...noCharge, requests: 1 },
    cachedTokens: 0,
    status: 200,
    route: '/',
    requestId: 'r',
    durationMs: 1,
  };
  const closing = { ticket: 'local', keyId: 'key_1', model: 'm', settlement };
  await allowed(tickets.settle('acme', { replica: 'r2', number: 1, callsKept: 10 }, [closing]));
  await allowed(tickets.renew('acme', 5_000, ['local']));
  await allowed(tickets.sweep('acme', 10));
  await allowed(keys.replaceKey({ ...record, revision: 2 }));
  await allowed(keys.replaceTenant({ ...tenant, revision: 2 }));

  const usage = usageTable(connection);
  const today = new Date().toISOString();
  await allowed(usage.sums('acme', [{ span: today.slice(0, 10), keyId: 'key_1', model: 'm' }]));
  await allowed(usage.pairs('acme', today.slice(0, 7), { order: 'key', countMax: 10 }));
  await allowed(usage.usedQuotas('acme', ['tenant']));
  await allowed(usage.calls('acme', 10));

  const sweeps = sweepTable(connection);
  await allowed(sweeps.note('acme'));
  await allowed(sweeps.claim('r1', 1_000));
  await allowed(sweeps.activeTenants('0', 10));
  await allowed(sweeps.forgetSilent(1));
  const learned = learnedTable(connection);
  const many = Array.from({ length: 1_001 }, (_, index) => [`m${index}`, { answer: [1, 1] }] as const);
  await allowed(learned.write(new Map(many), ['m1']));
  await allowed(learned.read(['m1']));
  const drains = drainTable(connection);
  await allowed(drains.write('gpu', true, 1));
  await allowed(drains.write('gpu', false, 1));
  await allowed(drains.read());
  const cluster = clusterTable(connection);
  await allowed(cluster.report('r1', { version: '0', in_flight: {} }, 1_000));
  await allowed(cluster.leave('r1'));
  const found = await cluster.installation();
  assert.ok(found.ok);
  await allowed(cluster.replaceInstallation(found.value, { id: 'i', doubted_by: [], accepted_from: [] }));
  assert.deepEqual(
    await denials(),
    [],
    'nothing was denied on the way, not even what ioredis asks by itself',
  );
});

test('what is not a gateway’s own is denied', async (t) => {
  const connection = await connected(t, redisConfig(redis.url.replace('//', `//sluice:${PASSWORD}@`)));
  const foreign = await connection.ask((client) => client.get('another:1:key'));
  assert.ok(!foreign.ok && /NOPERM/.test(foreign.failure.cause));
  const flush = await connection.ask((client) => client.flushall());
  assert.ok(!flush.ok && /NOPERM/.test(flush.failure.cause));
});

async function allowed(answer: Promise<Answer<unknown>>): Promise<void> {
  const { ok, ...rest } = await answer;
  assert.ok(ok, JSON.stringify(rest));
}

/** Commands in the log that the server keeps of what it denied. Nobody needs to know what a client calls itself. */
async function denials(): Promise<string[]> {
  const socket = connect(redis.port, '127.0.0.1');
  socket.end('ACL LOG\r\n');
  let text = '';
  socket.on('data', (piece: Buffer) => {
    text += piece.toString();
  });
  await once(socket, 'close');
  const lines = text.split('\r\n');
  return lines.filter((line, index) => lines[index - 2] === 'object' && line !== 'client|setinfo');
}
