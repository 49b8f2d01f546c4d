import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callOf, LEASE_MS, oneCall, openGround, scopeOf, settlementOf, stepsOf, TENANT } from './ground.ts';

const BEGIN_MS = Date.UTC(2027, 0, 1);
const tenant = scopeOf('tenant', {
  slots: 1,
  quotas: [{ period: 5, max: [1_000, 1_000_000, undefined, undefined, undefined] }],
});
const call = (ticket: string) =>
  callOf(ticket, { tenant, charge: { ...oneCall, inputTokens: 100, costNano: 7 } });
const day = 'sluice:1:{acme}:usage:2027-01-01:k1:m1';
const renewed = (retaken: number) => ({ ok: true, value: retaken });

test('a slot whose holder has gone silent is free for the next call when its lease has run out', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  assert.equal(await steps.code(call('t1')), 0);
  steps.setTime(BEGIN_MS + LEASE_MS - 1);
  assert.equal(await steps.code(call('t2')), 103);
  steps.setTime(BEGIN_MS + LEASE_MS);
  assert.equal(await steps.code(call('t2')), 0);
  assert.equal((await steps.account('tenant')).n, '1');
});

test('a lease that is renewed does not run out', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(call('t1'));
  for (let round = 1; round < 10; round += 1) {
    steps.setTime(BEGIN_MS + round * (LEASE_MS - 1));
    assert.deepEqual(await steps.table.renew(TENANT, LEASE_MS, ['t1']), renewed(0));
    assert.equal(await steps.code(call('t2')), 103);
  }
});

test('a call that renews after its lease has run out takes its slot again, above the limit', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(call('t1'));
  steps.setTime(BEGIN_MS + LEASE_MS);
  await steps.code(call('t2'));
  assert.deepEqual(await steps.table.renew(TENANT, LEASE_MS, ['t1']), renewed(1));
  assert.equal((await steps.account('tenant')).n, '2');
  await steps.settle('t2', settlementOf());
  assert.equal(await steps.code(call('t3')), 103);
  assert.equal(await steps.settle('t1', settlementOf()), 'open');
  assert.equal((await steps.account('tenant')).n, '0');
});

test('a ticket that runs out is booked as lost, stays charged, and a late end books only the difference', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(call('t1'));
  steps.setTime(BEGIN_MS + LEASE_MS);
  await steps.table.sweep(TENANT, 10);
  assert.deepEqual({ ...(await steps.client.hgetall(day)) }, { c: '1', l: '1', i: '100', n: '7' });
  assert.equal((await steps.account('tenant'))['5'], '0 1 100 0 0 7');

  assert.equal(
    await steps.settle('t1', settlementOf({ inputTokens: 30, outputTokens: 4, costNano: 9 })),
    'expired',
  );
  const booked = { c: '1', l: '0', i: '30', o: '4', n: '9', d: '5' };
  assert.deepEqual({ ...(await steps.client.hgetall(day)) }, booked);
  assert.equal((await steps.account('tenant'))['5'], '0 1 34 0 0 9');
  assert.equal((await steps.account('tenant')).n, '0');
});

test('a ticket that runs out twice is booked as lost once', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(call('t1'));
  for (const round of [1, 2]) {
    steps.setTime(BEGIN_MS + round * LEASE_MS);
    await steps.table.sweep(TENANT, 10);
    if (round === 1) await steps.table.renew(TENANT, LEASE_MS, ['t1']);
  }
  assert.equal(await steps.client.hget(day, 'l'), '1');
  assert.equal((await steps.account('tenant')).n, '0');
});

test('renewing what is closed or was never there does nothing', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(call('t1'));
  await steps.settle('t1', settlementOf());
  await steps.settle('early');
  assert.deepEqual(await steps.table.renew(TENANT, LEASE_MS, ['t1', 'early', 'never']), renewed(0));
  assert.equal((await steps.account('tenant')).n, '0');
  assert.deepEqual(await steps.client.hgetall('sluice:1:{acme}:tickets'), { early: 'c' });
});

test('leases survive a clock that is five seconds behind', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(call('t1'));
  steps.setTime(BEGIN_MS - 5_000);
  assert.equal((await steps.admit([call('t2')])).nowMs, BEGIN_MS, 'time stands still');
  steps.setTime(BEGIN_MS + LEASE_MS);
  assert.equal(await steps.code(call('t2')), 0);
});

test("the late end of a call that has lost its slot frees nobody else's", async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(call('t1'));
  steps.setTime(BEGIN_MS + LEASE_MS);
  assert.equal(await steps.code(call('t2')), 0);
  assert.equal(await steps.settle('t1', settlementOf()), 'expired');
  assert.equal(await steps.code(call('t3')), 103);
});

test('a clock that is an hour behind is believed, and does not stop time for as long', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(call('t1'));
  await steps.settle('t1', settlementOf());
  steps.setTime(BEGIN_MS - 3_600_000);
  assert.equal((await steps.admit([call('t2')])).nowMs, BEGIN_MS - 3_600_000);
});
