/** `sluice keys signing`: add, list, remove. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluice } from './run.ts';

let admin: AdminFixture;
let key: string;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-signing-'));
  admin = await startAdmin();
  key = (await admin.call('POST', '/admin/v1/keys', { json: { tenant: 'acme', name: 'signer' } })).body.id;
});

after(async () => {
  await admin.stop();
  await rm(folder, { recursive: true });
});

const run = (...parameters: string[]) =>
  sluice(['keys', 'signing', ...parameters], {
    env: { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN },
  });

test('a public key is added from a file, a secret is printed alone, both are listed and removed', async () => {
  const file = join(folder, 'key.pub');
  await writeFile(file, generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }));
  const [added, made] = await Promise.all([
    run('add', key, '--public-key', file, '--note', 'laptop'),
    run('add', key, '--hmac'),
  ]);
  assert.match(added.stdout, /^sgn_\w{12}\n$/, added.stderr);
  assert.match(made.stdout, /^sigsec_\S+\n$/, made.stderr);
  assert.match(made.stderr, /cannot be shown again/);
  const listed = await run('list', key);
  assert.match(listed.stdout, /^ID +ALG +CREATED +EXPIRES +NOTE\n/);
  assert.match(listed.stdout, /ed25519 .* laptop\n/);
  assert.doesNotMatch(listed.stdout, /sigsec_/);
  const removed = await run('remove', key, added.stdout.trim());
  assert.equal(removed.exitCode, 0, removed.stderr);
  const left = JSON.parse((await run('list', key, '--json')).stdout);
  assert.deepEqual(
    left.map(({ alg }: { alg: string }) => alg),
    ['hmac-sha256'],
  );
});

test('neither or both of --public-key and --hmac, and a file that is not there, are said to be wrong', async () => {
  const [neither, both, absent] = await Promise.all([
    run('add', key),
    run('add', key, '--hmac', '--public-key', 'x'),
    run('add', key, '--public-key', join(folder, 'absent')),
  ]);
  assert.deepEqual([neither.exitCode, both.exitCode, absent.exitCode], [2, 2, 1]);
  assert.match(neither.stderr, /--public-key or --hmac/);
  assert.match(absent.stderr, /cannot read .*absent/);
});
