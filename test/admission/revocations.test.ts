import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createKeyStore } from '../../src/admission/keys/key-store.ts';
import { Revocations } from '../../src/admission/revocations.ts';
import { connectRedis } from '../../src/redis/connection.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { configFor, must, newKey, quiet, until } from './ground.ts';

/** A Redis whose data can be taken back to where they were saved, and what replicas need on it. */
async function openRewindable(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-rewind-'));
  let server: TestRedis = await startRedis({ folder });
  const { port } = server;
  const config = configFor(server);
  const closers: (() => void)[] = [];
  let listening = 0;
  t.after(async () => {
    for (const close of closers) close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const connect = async () => {
    const connection = connectRedis(config.redis, quiet);
    closers.push(() => connection.close());
    await connection.reached();
    return connection;
  };
  const connection = await connect();
  const store = createKeyStore({ redis: connection, config, now: Date.now });
  return {
    connection,
    store,
    save: async () => assert.ok((await connection.ask((client) => client.call('SAVE'))).ok),
    async rewind() {
      await server.stop();
      server = await startRedis({ folder, port });
      await until(() => connection.state() === 'ok', 5_000);
    },
    /** A process of its own, as far as Redis can tell. */
    async replica() {
      const lines: string[] = [];
      const redis = await connect();
      const own = createKeyStore({ redis, config, now: Date.now });
      const log = createLogger('info', {}, { write: (line: string) => void lines.push(line) });
      const revocations = new Revocations({ redis, store: own, now: Date.now, log });
      closers.push(() => revocations.stop());
      revocations.start();
      listening += 1;
      const wanted = listening;
      await until(async () => {
        const channel = redis.keys.invalidations();
        const counted = await connection.ask((client) => client.call('PUBSUB', 'NUMSUB', channel));
        return counted.ok && Number((counted.value as unknown[])[1]) >= wanted;
      });
      return {
        revocations,
        store: own,
        reasserted: () => lines.filter((line) => line.includes('made again')),
      };
    },
  };
}

test('what was revoked or disabled stays so when Redis comes back from an older copy of its data', async (t) => {
  const { store, save, rewind, replica } = await openRewindable(t);
  const { revocations, reasserted } = await replica();
  const revoked = (await newKey(store)).record.id;
  const disabled = (await newKey(store)).record.id;
  const enabledAgain = (await newKey(store)).record.id;
  const untouched = (await newKey(store)).record.id;
  must(await store.create({ tenant: 'stopped', name: 'web', models: null, expires_at: null }));
  await save();

  must(await store.revoke(revoked));
  must(await store.update(disabled, { status: 'disabled' }));
  must(await store.update(enabledAgain, { status: 'disabled' }));
  must(await store.update(enabledAgain, { status: 'active' }));
  must(await store.updateTenant('stopped', { status: 'disabled' }));
  const last = (await newKey(store)).record.id;
  must(await store.revoke(last));
  await until(() => revocations.isRevoked(last));

  await rewind();
  assert.ok(revocations.isRevoked(revoked), 'it is refused before Redis is put right');
  const statusOf = async (id: string) => must(await store.get(id)).record.status;
  await until(async () => (await statusOf(revoked)) === 'revoked', 5_000);
  await until(async () => (await statusOf(disabled)) === 'disabled', 5_000);
  await until(async () => must(await store.getTenant('stopped')).tenant.status === 'disabled', 5_000);
  assert.equal(await statusOf(enabledAgain), 'active');
  assert.equal(await statusOf(untouched), 'active');
  assert.equal(reasserted().length, 3, 'the copy was older, and each change was made again once');
});

test('several replicas that remember the same revocation revoke the key once', async (t) => {
  const { store, save, rewind, replica } = await openRewindable(t);
  const replicas = await Promise.all([replica(), replica(), replica()]);
  const { id } = (await newKey(store)).record;
  await save();
  must(await store.revoke(id));
  await until(() => replicas.every(({ revocations }) => revocations.isRevoked(id)));
  await rewind();
  await until(async () => must(await store.get(id)).record.status === 'revoked', 5_000);
  assert.equal(must(await store.get(id)).record.revision, 2);
  assert.ok(
    replicas.some(({ reasserted }) => reasserted().length > 0),
    'Redis had forgotten it',
  );
});

test('a key that was disabled and is enabled on purpose is left alone when Redis returns', async (t) => {
  const { store, save, rewind, replica } = await openRewindable(t);
  const { revocations, reasserted } = await replica();
  const { id } = (await newKey(store)).record;
  const other = (await newKey(store)).record.id;
  must(await store.update(id, { status: 'disabled' }));
  must(await store.update(id, { status: 'active' }));
  must(await store.revoke(other));
  await save();
  await until(() => revocations.isRevoked(other));
  await rewind();
  assert.equal(must(await store.get(id)).record.status, 'active');
  assert.deepEqual(reasserted(), []);
});

test('a replica remembers what it has written itself, without waiting for the message', async (t) => {
  const { store, connection } = await openRewindable(t);
  const revocations = new Revocations({ redis: connection, store, now: Date.now, log: quiet });
  const watched = revocations.watching(store);
  const { id } = (await newKey(watched)).record;
  must(await watched.revoke(id));
  assert.ok(revocations.isRevoked(id));
});
