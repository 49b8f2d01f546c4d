import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluice } from './run.ts';

test('an installation is accepted once; when nobody misses anything the command says so and fails', async (t) => {
  const admin = await startAdmin();
  t.after(() => admin.stop());
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  const first = await sluice(['installation', 'accept'], { env });
  assert.equal(first.exitCode, 0, first.stderr);
  assert.match(first.stdout, /^Installation \S+ is accepted on every replica\.$/m);
  const second = await sluice(['installation', 'accept'], { env });
  assert.equal(second.exitCode, 1);
  assert.match(second.stderr, /nothing/i);
});
