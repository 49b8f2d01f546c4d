/** What is not whole, not ours, or not wanted is refused before anything is written. */
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { redisKeys } from '../../../src/redis/keys.ts';
import { isSealed } from '../../../src/roles/backup/file.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { runRole, SECRET, scratch } from './support/ground.ts';

const keys = redisKeys('sluice');

let redis: TestRedis;
let client: Redis;
let folder: string;
let file: string;
let env: NodeJS.ProcessEnv;

before(async () => {
  redis = await startRedis();
  client = new Redis(redis.url);
  env = { REDIS_URL: redis.url };
  folder = await mkdtemp(join(tmpdir(), 'sluice-backup-'));
  file = join(folder, 'made.backup');
  for (let index = 0; index < 50; index += 1) {
    await client.set(keys.key('acme', `key_${index}`), JSON.stringify({ name: randomUUID() }));
  }
  await client.set(keys.owner('fleeting'), 'acme', 'PX', 1);
  await client.set(keys.owner('lasting'), 'acme', 'PX', 60_000);
  await client.set('another:1:owner:x', 'theirs');
  const { code, err } = await runRole(['backup', file], env);
  assert.equal(code, 0, err);
});

after(async () => {
  client.disconnect();
  await redis.stop();
  await rm(folder, { recursive: true });
});

async function emptyRedis(t: TestContext) {
  const empty = await startRedis();
  const target = new Redis(empty.url);
  t.after(async () => {
    target.disconnect();
    await empty.stop();
  });
  return { client: target, env: { REDIS_URL: empty.url } };
}

test('a file that is cut short, or of which a single bit has changed, is refused and nothing is written', async (t) => {
  const inFolder = await scratch(t);
  const target = await emptyRedis(t);
  const whole = await readFile(file);
  const places = [0, 5, 9, whole.length >> 1, whole.length - 41, whole.length - 33, whole.length - 1];
  const damaged = [
    ...places.map((at) => whole.map((byte, index) => (index === at ? byte ^ 1 : byte))),
    ...[whole.length - 1, whole.length >> 1, 41, 40, 10, 0].map((length) => whole.subarray(0, length)),
  ];
  for (const [index, bytes] of damaged.entries()) {
    await writeFile(inFolder(`damaged-${index}`), bytes);
    assert.equal(await isSealed(inFolder(`damaged-${index}`)), false, `${index}`);
  }
  for (const index of [3, places.length + 1]) {
    const { code, err } = await runRole(['restore', '--force', inFolder(`damaged-${index}`)], target.env);
    assert.equal(code, 1);
    assert.match(err, /damaged, cut short, or no backup\. Nothing was written/);
  }
  assert.equal(await target.client.dbsize(), 0);
  assert.equal((await runRole(['restore', file], target.env)).code, 0, 'the file itself is taken');
  assert.equal(await target.client.dbsize(), 51);
});

test('a Redis that holds data is left as it is, unless it is forced: then they go first, and nobody else’s', async () => {
  await client.set(keys.owner('later'), 'acme');
  const refused = await runRole(['restore', file], env);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /is not empty.*Nothing was written/s);
  assert.equal(await client.get(keys.owner('later')), 'acme');

  const forced = await runRole(['restore', '--force', file], env);
  assert.equal(forced.code, 0, forced.err);
  assert.match(forced.out, /52 entries of before are deleted/);
  assert.equal(await client.get(keys.owner('later')), null);
  assert.equal(await client.get('another:1:owner:x'), 'theirs');
  assert.ok((await client.pttl(keys.owner('lasting'))) <= 60_000, 'it ends when it would have ended');
});

test('the copy of another SLUICE_SECRET is refused, because none of its keys would work', async (t) => {
  const target = await emptyRedis(t);
  const { code, err } = await runRole(['restore', file], { ...target.env, SLUICE_SECRET: `${SECRET}-other` });
  assert.equal(code, 1);
  assert.match(err, /another SLUICE_SECRET/);
  assert.equal(await target.client.dbsize(), 0);
});

test('a backup is its owner’s alone, is never written over, and leaves nothing when it fails', async () => {
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const again = await runRole(['backup', file], env);
  assert.match(again.err, /there already/);
  const away = await runRole(['backup', join(folder, 'away.backup')], { REDIS_URL: 'redis://127.0.0.1:1' });
  assert.equal(away.code, 1);
  assert.match(away.err, /cannot reach the Redis of redis\.url/);
  assert.equal((await runRole(['backup', '--keep', '0', folder], env)).code, 2);
  assert.deepEqual(await readdir(folder), ['made.backup']);
});

test('of a folder the newest are kept, and other files are nobody’s business', async () => {
  const inFolder = (name: string) => join(folder, name);
  for (const day of ['01', '02', '03'])
    await writeFile(inFolder(`sluice-202611${day}T010203Z.backup`), 'old');
  await writeFile(inFolder('other-20261101T010203Z.backup'), 'of another prefix');
  const { code, out } = await runRole(['backup', '--keep', '2', folder], env);
  assert.equal(code, 0);
  assert.match(out, /20261101T010203Z\.backup: removed\n.*20261102T010203Z\.backup: removed/);
  const left = await readdir(folder);
  assert.equal(left.length, 4);
  assert.ok(left.includes('sluice-20261103T010203Z.backup') && left.includes('made.backup'));
});

test('the user of deploy/redis.acl.example may do both', async (t) => {
  const inFolder = await scratch(t);
  const example = await readFile(new URL('../../../deploy/redis.acl.example', import.meta.url), 'utf8');
  const digest = createHash('sha256').update('word').digest('hex');
  await writeFile(inFolder('acl'), example.replace(/#0{64}/, `#${digest}`));
  const guarded = await startRedis({ extra: ['--include', inFolder('acl')] });
  const all = new Redis(guarded.url);
  t.after(async () => {
    all.disconnect();
    await guarded.stop();
  });
  await all.hset(keys.job('job_1'), {
    tenant: 'acme',
    line: 'm',
    status: 'queued',
    place: 1,
    created_ms: 1,
  });
  await all.hset(keys.payload('job_1'), 'about', '{}');
  await all.hset(keys.event('evt_1'), { tenant: 'acme', job: 'job_0' });
  await all.xadd(keys.calls('acme'), '1-0', 'id', '1');
  await all.sadd(keys.foreignForms(), '{}');
  const asUser = { REDIS_URL: guarded.url.replace('//', '//sluice:word@') };
  for (const words of [
    ['backup', inFolder('made')],
    ['restore', '--force', inFolder('made')],
  ]) {
    const { code, err } = await runRole(words, asUser);
    assert.equal(code, 0, err);
  }
  assert.deepEqual(await all.call('ACL', 'LOG'), []);
  assert.equal(await all.zcard(keys.jobLine('queued', 'm')), 1);
  assert.equal(await all.zcard(keys.outbox('acme')), 1);
});
