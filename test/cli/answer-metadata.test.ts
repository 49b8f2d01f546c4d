import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluice } from './run.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

function run(line: string) {
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  return sluice(line.split(' '), { env });
}

async function setting(line: string): Promise<boolean> {
  const { exitCode, stdout, stderr } = await run(`${line} --json`);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout).answer_metadata;
}

test('metadata in answers is off until it is switched on, and other changes leave it', async () => {
  assert.equal(await setting('tenants create plain'), false);
  assert.equal(await setting('tenants create asking --answer-metadata on'), true);
  assert.equal(await setting('tenants update asking --rpm 5'), true);
  assert.match((await run('tenants show asking')).stdout, /^answer metadata +on$/m);
  assert.equal(await setting('tenants update asking --answer-metadata off'), false);
  assert.equal((await run('tenants update asking --answer-metadata maybe')).exitCode, 2);
});
