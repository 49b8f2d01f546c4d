/** The nightly unit and the check of its work do what they say, as they stand. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { redisKeys } from '../../src/redis/keys.ts';
import { runRole, SECRET, scratch } from '../cluster/backup/support/ground.ts';
import { missingPrograms } from '../support/programs.ts';
import { startRedis } from '../support/redis.ts';

const file = (name: string) => fileURLToPath(new URL(`../../deploy/redis/${name}`, import.meta.url));
const run = promisify(execFile);

test('the timer’s service makes a backup, and the check puts the newest one back', {
  skip: missingPrograms('sh', 'redis-server', 'redis-cli'),
}, async (t) => {
  const redis = await startRedis();
  const client = new Redis(redis.url);
  t.after(async () => {
    client.disconnect();
    await redis.stop();
  });
  await client.set(redisKeys('sluice').key('acme', 'key_1'), '{}');
  const folder = (await scratch(t))('.');
  const unit = await readFile(file('sluice-backup.service'), 'utf8');
  const [, role, ...words] =
    /^ExecStart=\S+node src\/(main\.ts) (.*)$/m.exec(unit)?.slice(1).join(' ').split(' ') ?? [];
  assert.equal(role, 'backup');
  const here = words.map((word) => word.replace(/^\/var\/backups\/sluice\/$/, folder));
  assert.ok(here.includes(folder));
  const made = await runRole(['backup', ...here], { REDIS_URL: redis.url });
  assert.equal(made.code, 0, made.err);
  assert.equal((await readdir(folder)).length, 1);

  const env = { PATH: process.env.PATH, SLUICE_SECRET: SECRET, REDIS_URL: 'redis://127.0.0.1:1' };
  const checked = await run('sh', [file('check-backup.sh'), folder], { env });
  assert.match(checked.stdout, /1 entries are back/);
  const other = { ...env, SLUICE_SECRET: `${SECRET}-other` };
  await assert.rejects(run('sh', [file('check-backup.sh'), folder], { env: other }), /another SLUICE_SECRET/);
  const empty = (await scratch(t))('.');
  await assert.rejects(
    run('sh', [file('check-backup.sh'), empty], { env }),
    /no backup of the last 36 hours/,
  );
});

test('the settings of both servers are taken by a Redis, and lose nothing', async (t) => {
  for (const name of ['limits.conf', 'queue.conf']) {
    const folder = (await scratch(t))('.');
    const text = await readFile(file(name), 'utf8');
    const lines = text
      .split('\n')
      .filter((line) => line !== '' && !/^(#|bind|port|dir|protected-mode)/.test(line));
    const extra = lines.flatMap((line) => {
      const [setting = '', ...values] = line.split(' ');
      return [`--${setting}`, ...values.map((value) => value.replaceAll('"', ''))];
    });
    const redis = await startRedis({ folder, appendOnly: true, extra });
    const client = new Redis(redis.url);
    const [, policy] = (await client.config('GET', 'maxmemory-policy')) as string[];
    const [, log] = (await client.config('GET', 'appendonly')) as string[];
    client.disconnect();
    await redis.stop();
    assert.deepEqual([policy, log], ['noeviction', 'yes']);
  }
});
