import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  callOf,
  LEASE_MS,
  oneCall,
  openGround,
  scopeOf,
  settlementOf,
  snapshot,
  stepsOf,
  TENANT,
} from './ground.ts';

const BEGIN_MS = Date.UTC(2027, 0, 1);
const tenant = scopeOf('tenant', { slots: 5 });
const call = (ticket: string) => callOf(ticket, { tenant, charge: { ...oneCall, inputTokens: 100 } });

test('while Redis is full nobody is admitted and nothing is written, and what runs is renewed and billed', async (t) => {
  const steps = stepsOf(await openGround(t, { extra: ['--maxmemory-policy', 'noeviction'] }));
  steps.setTime(BEGIN_MS);
  await steps.admit([call('t1'), call('t2')]);
  await steps.client.config('SET', 'maxmemory', '1mb');
  await assert.rejects(steps.client.set('more', 'x'), /OOM/);

  const before = await snapshot(steps.client);
  await assert.rejects(steps.admit([call('t3')]), /OOM/);
  assert.deepEqual(await snapshot(steps.client), before);

  assert.deepEqual(await steps.table.renew(TENANT, LEASE_MS * 2, ['t1', 't2']), { ok: true, value: 0 });
  assert.equal(await steps.client.zscore('sluice:1:{acme}:leases', 't1'), String(BEGIN_MS + LEASE_MS * 2));
  assert.equal(await steps.settle('t1', settlementOf({ inputTokens: 30 })), 'open');
  assert.equal(await steps.settle('unknown', settlementOf({ inputTokens: 3 })), 'absent');
  assert.equal(await steps.client.hget('sluice:1:{acme}:usage:2027-01-01:k1:m1', 'i'), '33');
  assert.equal((await steps.account('tenant')).n, '1');

  await steps.client.config('SET', 'maxmemory', '0');
  assert.equal(await steps.code(call('t3')), 0);
});

test('while Redis is full a sweep ends what has run out', async (t) => {
  const steps = stepsOf(await openGround(t, { extra: ['--maxmemory-policy', 'noeviction'] }));
  steps.setTime(BEGIN_MS);
  await steps.admit([call('t1')]);
  steps.setTime(BEGIN_MS + LEASE_MS);
  await steps.client.config('SET', 'maxmemory', '1mb');
  const swept = await steps.table.sweep(TENANT, 10);
  assert.deepEqual(swept, { ok: true, value: { expired: 1, forgotten: 0, left: 1 } });
  assert.equal(await steps.client.hget('sluice:1:{acme}:usage:2027-01-01:k1:m1', 'l'), '1');
});
