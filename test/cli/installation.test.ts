import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluice } from './run.ts';

test('accepting an installation that nobody misses says so and exits with 1', async (t) => {
  const admin = await startAdmin();
  t.after(() => admin.stop());
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  const { exitCode, stderr } = await sluice(['installation', 'accept'], { env });
  assert.equal(exitCode, 1);
  assert.match(stderr, /nothing/i);
});
