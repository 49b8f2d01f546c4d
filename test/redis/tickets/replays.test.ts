import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  callOf,
  oneCall,
  openGround,
  pace,
  scopeOf,
  settlementOf,
  snapshot,
  stepsOf,
  TENANT,
} from './ground.ts';

const tenant = scopeOf('tenant', { tokens: pace(60_000), slots: 5 });
const call = (ticket: string) => callOf(ticket, { tenant, charge: { ...oneCall, inputTokens: 100 } });
const closing = (ticket: string) => ({
  ...{ ticket, keyId: 'k1', model: 'm1' },
  settlement: settlementOf({ inputTokens: 9 }),
});

test('a batch of settlements that comes again does nothing, and neither does an older one', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(Date.UTC(2027, 0, 1));
  await steps.admit(['t1', 't2', 't3'].map(call));
  const batch = (number: number, replica = 'r1') => ({ replica, number, callsKept: 10 });
  await steps.table.settle(TENANT, batch(5), [closing('t1'), closing('unknown')]);
  const before = await snapshot(steps.client);
  for (const number of [5, 4]) {
    const answer = await steps.table.settle(TENANT, batch(number), [closing('t1'), closing('t2')]);
    assert.deepEqual(answer, { ok: true, value: 'repeated' });
  }
  assert.deepEqual(await snapshot(steps.client), before);
  const next = await steps.table.settle(TENANT, batch(6), [closing('t2')]);
  assert.deepEqual(next, { ok: true, value: ['open'] });
  const other = await steps.table.settle(TENANT, batch(1, 'r2'), [closing('t3')]);
  assert.deepEqual(other, { ok: true, value: ['open'] });
});

test('a ticket that stands twice in one batch is closed once', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(Date.UTC(2027, 0, 1));
  await steps.admit([call('t1'), call('t2')]);
  const batch = { replica: 'r1', number: 1, callsKept: 10 };
  const twice = [closing('t1'), closing('t1'), closing('unknown'), closing('unknown')];
  const answer = await steps.table.settle(TENANT, batch, twice);
  assert.deepEqual(answer, { ok: true, value: ['open', 'closed', 'absent', 'closed'] });
  assert.equal((await steps.account('tenant')).n, '1');
  assert.equal(await steps.client.hget('sluice:1:{acme}:usage:2027-01-01:k1:m1', 'i'), '18');
  assert.equal(await steps.client.xlen('sluice:1:{acme}:calls'), 2);
});
