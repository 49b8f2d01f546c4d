/** Policies and tenants of the configuration, in a gateway that runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/gateway.ts';
import { startReloading } from './reloading.ts';

const policy = (name: string) => ({ name, caps: { max_tokens: 100 } });

test('policies come and go by SIGHUP; tenants of the file are made once, and keep their policies', async (t) => {
  const tenants = [{ name: 'seeded', policy: 'kept', limits: { max_concurrent: 3 } }];
  const given = { policies: [policy('kept'), policy('leaving')], tenants };
  const { gateway, write, signal } = await startReloading(t, given);
  const names = async () => {
    const { data } = (await gateway.admin('GET', '/policies')).body as { data: { name: string }[] };
    return data.map(({ name }) => name).sort();
  };
  const give = async (name: string) =>
    (await gateway.admin('PATCH', '/tenants/seeded', { policy: name })).status;
  const tenant = () => gateway.admin('GET', '/tenants/seeded');
  await until(async () => (await tenant()).status === 200, 'the tenant of the file');
  const { limits, policy: named } = (await tenant()).body as {
    limits: { max_concurrent: number };
    policy: string;
  };
  assert.deepEqual([limits.max_concurrent, named], [3, 'kept']);
  assert.deepEqual([await give('leaving'), await give('new')], [200, 400]);

  await write({ policies: [policy('new')] });
  const line = await signal();
  assert.deepEqual(line.changes, [
    { what: 'policies.leaving', change: 'removed', fields: [] },
    { what: 'policies.new', change: 'added', fields: [] },
  ]);
  assert.deepEqual(line.needs_restart, ['tenants']);
  assert.deepEqual(await names(), ['kept', 'new']);
  assert.deepEqual([await give('leaving'), await give('new')], [400, 200]);
});
