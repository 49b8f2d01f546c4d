import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Installation } from '../../src/admission/installation.ts';
import { clusterTable } from '../../src/redis/cluster-table.ts';
import { connectRedis, type RedisConnection } from '../../src/redis/connection.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { configFor, must, quiet, until } from './ground.ts';

/** Looks every second while there is doubt, and reconnects within one; three times that is where a test fails. */
const WITHIN_MS = 6_000;

interface Member {
  readonly installation: Installation;
  readonly redis: RedisConnection;
  readonly errors: () => readonly string[];
}

async function openCluster(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-installation-'));
  let server: TestRedis = await startRedis({ folder });
  const { port } = server;
  const config = configFor(server);
  const closers: (() => void)[] = [];
  t.after(async () => {
    for (const close of closers) close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const connect = async () => {
    const redis = connectRedis(config.redis, quiet);
    closers.push(() => redis.close());
    await redis.reached();
    return redis;
  };
  return {
    stop: () => server.stop(),
    save: async ({ redis }: Member) => assert.ok((await redis.ask((client) => client.call('SAVE'))).ok),
    /** With what was saved, or with nothing. */
    async startAgain(what: 'saved' | 'empty') {
      server = await startRedis(what === 'saved' ? { folder, port } : { port });
    },
    async member(): Promise<Member> {
      const redis = await connect();
      const lines: string[] = [];
      const log = createLogger('error', {}, { write: (line: string) => void lines.push(line) });
      const installation = new Installation({ redis, log });
      closers.push(() => installation.stop());
      installation.start();
      return { installation, redis, errors: () => lines };
    },
  };
}

async function untilTrusted(...members: readonly Member[]): Promise<void> {
  await until(() => members.every(({ installation }) => installation.isTrusted()), WITHIN_MS);
  // Whoever has made it knows it when it has read it, a second later.
  for (const { installation } of members) await installation.check();
}

async function untilLost(...members: readonly Member[]): Promise<void> {
  await until(() => members.every(({ installation }) => installation.isLost()), WITHIN_MS);
  assert.ok(members.every(({ installation }) => !installation.isTrusted()));
}

test('the first start makes an installation that all replicas trust', async (t) => {
  const { member } = await openCluster(t);
  const members = await Promise.all([member(), member(), member()]);
  await untilTrusted(...members);
  const found = await clusterTable(members[0].redis).installation();
  assert.ok(found.ok && found.value.record);
  assert.deepEqual(found.value.record.doubted_by, []);
});

test('when Redis comes back empty, every replica says so once, also one that starts then', async (t) => {
  const { member, stop, startAgain } = await openCluster(t);
  const one = await member();
  const two = await member();
  await untilTrusted(one, two);
  await stop();
  await until(() => !one.installation.isTrusted() && !two.installation.isTrusted());
  assert.ok(!one.installation.isLost(), 'a Redis that is away has lost nothing yet');
  await startAgain('empty');
  await untilLost(one, two);
  const starter = await member();
  await untilLost(starter);
  await one.installation.check();
  assert.equal(one.errors().length, 1);
});

test('after an operator has accepted at any one replica, all trust the data within seconds', async (t) => {
  const { member, stop, startAgain } = await openCluster(t);
  const one = await member();
  const two = await member();
  await untilTrusted(one, two);
  await stop();
  await startAgain('empty');
  await untilLost(one, two);
  const starter = await member();
  must(await starter.installation.accept());
  await untilTrusted(one, two, starter, await member());
  const again = await one.installation.accept();
  assert.equal(again.ok ? 'ok' : again.refusal.name, 'conflict');
});

test('when the old data are restored, all is as before and nobody has to accept', async (t) => {
  const { member, stop, startAgain, save } = await openCluster(t);
  const one = await member();
  await untilTrusted(one);
  await save(one);
  await stop();
  await startAgain('empty');
  await untilLost(one);
  await stop();
  await startAgain('saved');
  await untilTrusted(one);
});

test('a process that started first on an empty Redis learns that others miss the data', async (t) => {
  const { member, stop, startAgain } = await openCluster(t);
  const one = await member();
  await untilTrusted(one);
  one.installation.stop(); // it is slow to come back
  await stop();
  await startAgain('empty');
  const starter = await member();
  await until(() => starter.installation.isTrusted(), WITHIN_MS);
  await one.redis.reached();
  await until(() => one.redis.state() === 'ok', WITHIN_MS);
  await one.installation.check();
  await untilLost(one, starter);
  must(await one.installation.accept());
  await untilTrusted(starter);
});

test('from the moment when Redis goes until its data were looked at, nothing is trusted', async (t) => {
  const { member, stop, startAgain, save } = await openCluster(t);
  const one = await member();
  await untilTrusted(one);
  await save(one);
  const trustedWhen: boolean[] = [];
  one.redis.onState(() => trustedWhen.push(one.installation.isTrusted()));
  await stop();
  await startAgain('saved');
  await until(() => trustedWhen.length >= 2, WITHIN_MS);
  assert.deepEqual(trustedWhen, [false, false]);
  await untilTrusted(one);
});

test('while Redis is away an acceptance is refused as unavailable', async (t) => {
  const { member, stop, startAgain } = await openCluster(t);
  const one = await member();
  await untilTrusted(one);
  await stop();
  const result = await one.installation.accept();
  assert.equal(result.ok ? 'ok' : result.refusal.name, 'store_unavailable');
  await startAgain('empty');
});

test('what cannot be read is neither trusted nor written over', async (t) => {
  const { member } = await openCluster(t);
  const one = await member();
  await untilTrusted(one);
  const { redis, installation } = one;
  await redis.ask((client) => client.set(redis.keys.installation(), 'of another kind'));
  await installation.check();
  assert.ok(installation.isLost());
  assert.deepEqual(await redis.ask((client) => client.get(redis.keys.installation())), {
    ok: true,
    value: 'of another kind',
  });
});

test('of two who write at the same time the second is told, and overwrites nothing', async (t) => {
  const { member } = await openCluster(t);
  const one = await member();
  await untilTrusted(one);
  const table = clusterTable(one.redis);
  const before = await table.installation();
  assert.ok(before.ok && before.value.record);
  const doubted = { ...before.value.record, doubted_by: ['another'] };
  assert.deepEqual(await table.replaceInstallation(before.value, doubted), { ok: true, value: true });
  const late = await table.replaceInstallation(before.value, { ...doubted, doubted_by: [] });
  assert.deepEqual(late, { ok: true, value: false });
  const after = await table.installation();
  assert.ok(after.ok);
  assert.deepEqual(after.value.record, doubted);
});
