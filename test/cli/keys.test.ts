import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluice } from './run.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

async function run(...parameters: string[]) {
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  const finished = await sluice(parameters, { env });
  assert.equal(finished.exitCode, 0, finished.stderr);
  return finished;
}

async function createJson(...parameters: string[]) {
  return JSON.parse(
    (await run('keys', 'create', '--tenant', 'acme', '--name', 'web', '--json', ...parameters)).stdout,
  );
}

test('a key goes to standard output alone on its line, with a note beside it to store it', async () => {
  const { stdout, stderr } = await run('keys', 'create', '--tenant', 'acme', '--name', 'web');
  assert.match(stdout, /^slc_[0-9A-Za-z]{12}_[0-9A-Za-z]{36}\n$/);
  assert.match(stderr, /Store it now: it cannot be shown again/);
  const { stdout: list } = await run('keys', 'list');
  assert.ok(!list.includes(stdout.trim().slice(-36)));
});

test('models and expiry reach the record', async () => {
  const key = await createJson('--model', 'a', '--model', 'b', '--expires-in', '30d');
  assert.deepEqual(key.models, ['a', 'b']);
  assert.ok(Math.abs(Date.parse(key.expires_at) - Date.now() - 30 * 86_400_000) < 60_000);
  assert.equal((await createJson('--expires-at', '2099-01-01')).expires_at, '2099-01-01T00:00:00.000Z');
});

test('a key is updated, disabled, enabled, rotated and revoked', async () => {
  const { id, key } = await createJson('--model', 'a');
  const json = async (...parameters: string[]) =>
    JSON.parse((await run('keys', ...parameters, '--json')).stdout);

  const updated = await json(
    'update',
    id,
    '--name',
    'new',
    '--all-models',
    '--expires-at',
    '2099-01-01T00:00:00Z',
  );
  assert.deepEqual(
    [updated.name, updated.models, updated.expires_at],
    ['new', null, '2099-01-01T00:00:00.000Z'],
  );
  assert.equal((await json('update', id, '--expires-at', 'never')).expires_at, null);
  assert.equal((await json('disable', id)).status, 'disabled');
  assert.equal((await json('enable', id)).status, 'active');
  const rotated = await run('keys', 'rotate', id, '--overlap', '2h');
  assert.match(rotated.stdout, /^slc_\S+\n$/);
  assert.notEqual(rotated.stdout.trim(), key);
  assert.match((await run('keys', 'revoke', id)).stdout, /is revoked\.\n$/);
  assert.match((await run('keys', 'show', id)).stdout, /^status +revoked$/m);
});

test('a list is an aligned table for people and JSON for programs, over all pages', async () => {
  const made = Array.from({ length: 1_005 }, (_, index) => ({
    key: `listed-${String(index).padStart(8, '0')}`,
    tenant: 'many',
    name: index % 2 ? '网关' : 'gateway',
  }));
  const json = { form: { prefix: 'listed-' }, rows: made };
  assert.equal((await admin.call('POST', '/admin/v1/keys/import', { json })).body.created, 1_005);

  const { stdout } = await run('keys', 'list', '--tenant', 'many');
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, 1_006);
  const statusColumn = lines[0]?.indexOf('STATUS') ?? -1;
  for (const line of lines.slice(1)) {
    // Each of the two wide letters takes two places on the screen.
    assert.equal(line.indexOf('active'), line.includes('网关') ? statusColumn - 2 : statusColumn);
  }
  assert.ok(!stdout.includes('\u001b'));
  const listed = JSON.parse((await run('keys', 'list', '--tenant', 'many', '--json')).stdout);
  assert.equal(new Set(listed.map(({ id }: { id: string }) => id)).size, 1_005);
});

test('tenants are listed, shown, disabled and enabled; upstreams are listed', async () => {
  await createJson();
  assert.match((await run('tenants', 'list')).stdout, /^acme +active/m);
  assert.match((await run('tenants', 'disable', 'acme')).stdout, /Tenant acme is disabled/);
  assert.match((await run('tenants', 'show', 'acme')).stdout, /^status +disabled$/m);
  assert.match((await run('tenants', 'enable', 'acme')).stdout, /Tenant acme is active/);
  assert.match(
    (await run('upstreams', 'list')).stdout,
    /^sim +up +2 +- +0 +- +http:\/\/127\.0\.0\.1:9 +sim-small$/m,
  );
});
