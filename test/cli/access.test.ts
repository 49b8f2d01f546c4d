/** What operators say of scopes, addresses, proofs and labels, and which keys they ask for. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluice } from './run.ts';

async function operator(t: TestContext) {
  const admin = await startAdmin();
  t.after(() => admin.stop());
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  const run = (...parameters: string[]) => sluice(parameters, { env });
  const json = async (...parameters: string[]) => {
    const { exitCode, stdout, stderr } = await run(...parameters, '--json');
    assert.equal(exitCode, 0, stderr);
    return JSON.parse(stdout);
  };
  return { run, json };
}

test('a key is made, changed and shown with labels, scopes, addresses and proofs', async (t) => {
  const { run, json } = await operator(t);
  const { id } = await json(
    ...['keys', 'create', '--tenant', 'acme', '--name', 'web', '--note', 'ask Kim', '--tags', 'shop,eu'],
    ...['--scopes', 'inference,usage', '--allowed-addresses', '10.0.0.0/8, 2001:db8::/32'],
    ...['--require-signature', 'on'],
  );
  const { stdout } = await run('keys', 'show', id);
  for (const line of [
    /^note +ask Kim$/m,
    /^tags +shop, eu$/m,
    /^scopes +inference, usage$/m,
    /^addresses +10\.0\.0\.0\/8, 2001:db8::\/32$/m,
    /^demands +signature$/m,
    /^last used +never$/m,
  ]) {
    assert.match(stdout, line);
  }
  const changed = await json(
    ...['keys', 'update', id, '--note', 'none', '--tags', 'none', '--scopes', 'all'],
    ...['--allowed-addresses', 'none', '--require-signature', 'off', '--require-client-certificate', 'on'],
  );
  const { note, tags, scopes, allowed_addresses, require_signature, require_client_certificate } = changed;
  assert.deepEqual([note, tags, scopes], ['', [], ['inference', 'jobs', 'usage']]);
  assert.deepEqual([allowed_addresses, require_signature, require_client_certificate], [[], false, true]);
  const wrong = await run('keys', 'update', id, '--scopes', 'admin');
  assert.deepEqual([wrong.exitCode, /inference,jobs,usage, or all/.test(wrong.stderr)], [2, true]);
  assert.match(
    (await run('keys', 'update', id, '--allowed-addresses', 'here')).stderr,
    /allowed_addresses\[0\]/,
  );
});

test('a tenant has an e-mail address, addresses and proofs', async (t) => {
  const { run, json } = await operator(t);
  const addresses = ['--allowed-addresses', '10.0.0.0/8', '--require-jwt', 'on'];
  const made = await json('tenants', 'create', 'acme', '--email', 'ops@example.com', ...addresses);
  assert.deepEqual(
    [made.email, made.allowed_addresses, made.require_jwt],
    ['ops@example.com', ['10.0.0.0/8'], true],
  );
  assert.match((await run('tenants', 'show', 'acme')).stdout, /^demands +token \(JWT\)$/m);
  const taken = await run('tenants', 'create', 'other', '--email', 'OPS@example.com');
  assert.deepEqual([taken.exitCode, /belongs to another tenant/.test(taken.stderr)], [1, true]);
  const { email, require_jwt } = await json(
    ...['tenants', 'update', 'acme', '--email', 'none', '--require-jwt', 'off'],
  );
  assert.deepEqual([email, require_jwt], [null, false]);
});

test('keys are listed by tag, status, age and use', async (t) => {
  const { run, json } = await operator(t);
  for (const tag of ['a', 'b'])
    await json('keys', 'create', '--tenant', 'acme', '--name', tag, '--tags', tag);
  const names = async (...filter: string[]) =>
    (await json('keys', 'list', ...filter)).map(({ name }: { name: string }) => name);
  assert.deepEqual(await names('--tag', 'b'), ['b']);
  assert.deepEqual(await names('--unused-for', '0'), ['a', 'b']);
  assert.deepEqual(await names('--older-than', '180d'), []);
  assert.deepEqual(await names('--status', 'revoked'), []);
  const table = (await run('keys', 'list', '--tag', 'a')).stdout;
  assert.match(table, /LAST USED +TAGS/);
  assert.match(table, / never +never +a /);
  assert.match((await run('keys', 'list', '--older-than', '1d')).stderr, /There are no such keys/);
});
