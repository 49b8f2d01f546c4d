import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { runHere } from './in-process.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

function as(token: string, ...parameters: string[]) {
  return runHere(parameters, { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: token });
}

async function run(...parameters: string[]) {
  const finished = await as(TOKEN, ...parameters);
  assert.equal(finished.exitCode, 0, finished.stderr);
  return finished;
}

test('an admin key goes to standard output alone, and opens the command line as far as its role reaches', async () => {
  const { stdout, stderr } = await run('admins', 'create', '--name', 'ann', '--role', 'viewer');
  assert.match(stdout, /^sluice_admin_[0-9A-Za-z]{12}_[0-9A-Za-z]{36}\n$/);
  assert.match(stderr, /named ann, is viewer\.\n.*for SLUICE_ADMIN_TOKEN\. Store it now/);
  const key = stdout.trim();
  assert.equal((await as(key, 'keys', 'list')).exitCode, 0);
  const refused = await as(key, 'keys', 'create', '--tenant', 'acme', '--name', 'web');
  assert.equal(refused.exitCode, 1);
  assert.equal(
    refused.stderr,
    'sluice: The role viewer may not do this; operator may. Ask an owner: sluice admins update.\n',
  );
});

test('an admin is listed, shown, changed, disabled, enabled, rotated and revoked', async () => {
  const json = async (...parameters: string[]) =>
    JSON.parse((await run('admins', ...parameters, '--json')).stdout);
  const { id, key } = await json('create', '--name', 'bob', '--role', 'operator', '--expires-in', '30d');
  assert.match((await run('admins', 'list')).stdout, new RegExp(`${id} +bob +operator +active +never`));
  assert.match((await run('admins', 'show', id)).stdout, /^last used {2}never$/m);
  const updated = await json('update', id, '--role', 'owner', '--name', 'bobby', '--expires-at', 'never');
  assert.deepEqual([updated.role, updated.name, updated.expires_at], ['owner', 'bobby', null]);
  assert.match((await run('admins', 'disable', id)).stdout, /named bobby, is disabled\.\n$/);
  assert.equal((await as(key, 'admins', 'list')).exitCode, 1);
  assert.equal((await json('enable', id)).status, 'active');
  const rotated = (await run('admins', 'rotate', id)).stdout.trim();
  assert.deepEqual(
    [(await as(key, 'admins', 'list')).exitCode, (await as(rotated, 'admins', 'list')).exitCode],
    [1, 0],
  );
  assert.match((await run('admins', 'revoke', id)).stdout, /is revoked\.\n$/);
  assert.match((await as(rotated, 'admins', 'list')).stderr, /refuses the token/);
});

test('what is called wrongly says so with exit code 2', async () => {
  for (const wrong of [
    ['create', '--name', 'x'],
    ['create', '--name', 'x', '--role', 'king'],
    ['create', '--name', 'x', '--role', 'owner', '--expires-in', '1d', '--expires-at', '2030-01-01'],
    ['update', 'adm_000000000000'],
    ['rotate', 'adm_000000000000', '--overlap', 'long'],
  ]) {
    assert.equal((await as(TOKEN, 'admins', ...wrong)).exitCode, 2, wrong.join(' '));
  }
});
