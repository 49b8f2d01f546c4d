import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { TenantPriority } from '../../src/core/principal.ts';
import { startAdmin, TOKEN } from '../admin/fixture.ts';
import { must, newKey, openGround, until } from '../admission/ground.ts';
import { sluice } from './run.ts';

async function operator(t: TestContext) {
  const ground = await openGround(t);
  const admin = await startAdmin({ keys: ground.store });
  t.after(() => admin.stop());
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  const run = (line: string) => sluice(line.split(' '), { env });
  const setting = async (line: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(`${line} --json`);
    assert.equal(exitCode, 0, stderr);
    return JSON.parse(stdout).priority;
  };
  return { ...ground, run, setting };
}

test('a tenant has normal priority until it is given another, and other changes leave it', async (t) => {
  const { run, setting } = await operator(t);
  assert.equal(await setting('tenants create plain'), 'normal');
  assert.equal(await setting('tenants create urgent --priority high'), 'high');
  assert.equal(await setting('tenants update urgent --rpm 5'), 'high');
  assert.match((await run('tenants show urgent')).stdout, /^priority +high$/m);
  assert.equal(await setting('tenants update urgent --priority low'), 'low');
  assert.match((await run('tenants list')).stdout, /^plain +active +normal .*\nurgent +active +low /m);
  assert.match((await run('tenants update urgent --priority highest')).stderr, /low, normal, high/);
  assert.equal(await setting('tenants show urgent'), 'low');
});

test('the calls of a tenant carry its priority as soon as it has changed', async (t) => {
  const { store, replica, setting } = await operator(t);
  const other = await replica({ cache_seconds: 300 });
  const { secret } = await newKey(store, 'acme');
  const carried = async () => {
    const verdict = await other.authenticate(secret, '192.0.2.1', Date.now());
    assert.ok(verdict.ok);
    return verdict.principal.priority;
  };
  assert.equal(await carried(), 0);
  for (const [word, rank] of [
    ['high', 1],
    ['normal', 0],
    ['low', -1],
  ] as const) {
    await setting(`tenants update acme --priority ${word}`);
    await until(async () => (await carried()) === rank);
  }
  // What only a newer release knows counts as normal.
  must(await store.updateTenant('acme', { priority: 'urgent' as TenantPriority }));
  await until(async () => (await carried()) === 0);
});
