import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { family, newFolder, printedKey, start } from './support/start.ts';

test('what a start keeps is readable by its user alone and stands in no command line or log', async (context) => {
  const folder = newFolder(context);
  const started = start(context, folder);
  await started.line(/^Ready/);
  await printedKey(started);

  assert.equal(statSync(folder.home).mode & 0o777, 0o700);
  for (const name of ['secret', 'admin-token', 'admin.json', 'key', 'redis.conf']) {
    assert.equal(statSync(join(folder.home, name)).mode & 0o777, 0o600, name);
  }
  const password = /^requirepass (\S+)$/m.exec(readFileSync(join(folder.home, 'redis.conf'), 'utf8'))?.[1];
  const secrets = [password, readFileSync(join(folder.home, 'secret'), 'utf8').trim()];
  const { url, token } = JSON.parse(readFileSync(join(folder.home, 'admin.json'), 'utf8'));
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
  secrets.push(token);

  const logs = join(folder.home, 'logs');
  const shown = [
    started.output(),
    ...family(started.pid).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8')),
    ...readdirSync(logs).map((name) => readFileSync(join(logs, name), 'utf8')),
  ];
  for (const secret of secrets) {
    assert.ok(secret && secret.length >= 32);
    assert.ok(!shown.some((text) => text.includes(secret)));
  }
});

test('secrets that the operator gives are used and none is written down', async (context) => {
  const folder = newFolder(context);
  const given = { SLUICE_SECRET: 's'.repeat(40), SLUICE_ADMIN_TOKEN: 't'.repeat(40) };
  const started = start(context, folder, given);
  await started.line(/^Ready/);
  const { token } = JSON.parse(readFileSync(join(folder.home, 'admin.json'), 'utf8'));
  assert.equal(token, given.SLUICE_ADMIN_TOKEN);
  assert.notEqual(readFileSync(join(folder.home, 'secret'), 'utf8').trim(), given.SLUICE_SECRET);
});
