import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../ground.ts';
import { charge, LIFETIME_MS, MODEL, openHouse, spent } from './ground.ts';

const nothing = { tickets: 0, slots: 0, requests: 0, tokens: 0 };

test('a job holds its quota while it waits, a slot while it runs, and in the end what it has cost', async (t) => {
  const house = await openHouse(t);
  const [door, worker] = [await house.process(), await house.process()];
  const principal = await house.principal();
  const reserved = await door.limits.jobTickets.reserve(principal, MODEL, charge, 'job_1', LIFETIME_MS);
  assert.equal(reserved.kind, 'admitted');
  assert.deepEqual(await house.taken(), { tickets: 1, slots: 0, requests: 1, tokens: 500 });

  const resumed = await worker.limits.jobTickets.resume(principal, MODEL, charge, 'job_1');
  assert.equal(resumed.kind, 'admitted');
  assert.equal(worker.limits.openTickets, 1);
  assert.deepEqual(await house.taken(), { tickets: 1, slots: 1, requests: 1, tokens: 500 });

  if (resumed.kind === 'admitted') {
    resumed.ticket.close(spent(300, 50));
    resumed.ticket.close(spent(300, 50));
  }
  await worker.settled();
  assert.equal(worker.limits.openTickets, 0);
  assert.deepEqual(await house.taken(), { tickets: 0, slots: 0, requests: 1, tokens: 350 });
  assert.deepEqual(await house.booked(), [1, 0, 300, 50]);
});

test('a job that is given up before it runs gives all back', async (t) => {
  const house = await openHouse(t);
  const { limits, settled } = await house.process();
  const principal = await house.principal();
  await limits.jobTickets.reserve(principal, MODEL, charge, 'job_1', LIFETIME_MS);
  assert.equal(await limits.jobTickets.isOpen('acme', 'job_1'), true);
  limits.jobTickets.release('acme', house.keyId, MODEL, 'job_1');
  await settled();
  assert.equal(await limits.jobTickets.isOpen('acme', 'job_1'), false);
  assert.deepEqual(await house.taken(), nothing);
  assert.deepEqual(await house.booked(), [0, 0, 0, 0]);
});

test('a spent quota refuses at the door, and takes nothing', async (t) => {
  const house = await openHouse(t);
  const { limits } = await house.process();
  const principal = await house.principal();
  for (const id of ['job_1', 'job_2', 'job_3']) {
    const reserved = await limits.jobTickets.reserve(principal, MODEL, charge, id, LIFETIME_MS);
    assert.equal(reserved.kind, 'admitted');
  }
  const refused = await limits.jobTickets.reserve(principal, MODEL, charge, 'job_4', LIFETIME_MS);
  assert.equal(refused.kind === 'refused' && refused.refusal.name, 'insufficient_quota');
  assert.equal((await house.taken()).requests, 3);
});

test('the next attempt takes over the only slot at once, and the one before closes nothing', async (t) => {
  const house = await openHouse(t);
  const [frozen, next] = [await house.process(), await house.process()];
  const principal = await house.principal();
  await frozen.limits.jobTickets.reserve(principal, MODEL, charge, 'job_1', LIFETIME_MS);
  const before = await frozen.limits.jobTickets.resume(principal, MODEL, charge, 'job_1');
  const after = await next.limits.jobTickets.resume(principal, MODEL, charge, 'job_1');
  assert.ok(before.kind === 'admitted' && after.kind === 'admitted');
  const other = await next.limits.jobTickets.resume(principal, MODEL, charge, 'job_2');
  assert.ok(other.kind === 'refused' && other.waitMs > 0 && other.waitMs <= 1_000, JSON.stringify(other));

  assert.equal(frozen.limits.jobTickets.leave(before.ticket), true);
  assert.equal(frozen.limits.jobTickets.leave(before.ticket), false);
  before.ticket.close(spent(9_000, 9_000));
  assert.equal(frozen.limits.openTickets, 0);
  after.ticket.close(spent(400, 100));
  await next.settled();
  assert.deepEqual(await house.taken(), { tickets: 0, slots: 0, requests: 1, tokens: 500 });
  assert.deepEqual(await house.booked(), [1, 0, 400, 100]);
});

test('whoever closes a job a second time books nothing', async (t) => {
  const house = await openHouse(t);
  const [one, other] = [await house.process(), await house.process()];
  const principal = await house.principal();
  await one.limits.jobTickets.reserve(principal, MODEL, charge, 'job_1', LIFETIME_MS);
  const held = await one.limits.jobTickets.resume(principal, MODEL, charge, 'job_1');
  assert.ok(held.kind === 'admitted');
  other.limits.jobTickets.close(
    { tenant: 'acme', keyId: house.keyId, model: MODEL, jobId: 'job_1' },
    spent(400, 100),
  );
  await other.settled();
  held.ticket.close(spent(400, 100));
  await one.settled();
  assert.deepEqual(await house.booked(), [1, 0, 400, 100]);
  assert.deepEqual(await house.taken(), { tickets: 0, slots: 0, requests: 1, tokens: 500 });
});

test('a job that is put back frees its slot and keeps its quota, until it runs again', async (t) => {
  const house = await openHouse(t);
  const [one, other] = [await house.process(), await house.process()];
  const principal = await house.principal();
  await one.limits.jobTickets.reserve(principal, MODEL, charge, 'job_1', LIFETIME_MS);
  const first = await one.limits.jobTickets.resume(principal, MODEL, charge, 'job_1');
  assert.ok(first.kind === 'admitted');
  await one.limits.jobTickets.suspend(first.ticket, LIFETIME_MS);
  assert.equal(one.limits.openTickets, 0);
  assert.deepEqual(await house.taken(), { tickets: 1, slots: 0, requests: 1, tokens: 500 });
  const leases = await house.connection.ask((client) =>
    client.zscore(house.connection.keys.leases('acme'), 'job_1'),
  );
  assert.ok(leases.ok && Number(leases.value) > Date.now() + LIFETIME_MS / 2, 'it has its life again');

  const again = await other.limits.jobTickets.resume(principal, MODEL, charge, 'job_1');
  assert.ok(again.kind === 'admitted');
  again.ticket.close(spent(400, 100));
  await other.settled();
  assert.deepEqual(await house.taken(), { tickets: 0, slots: 0, requests: 1, tokens: 500 });
  assert.deepEqual(await house.booked(), [1, 0, 400, 100]);
});

test('what a gateway reserved that died before it accepted the job is given back after the lifetime', async (t) => {
  const house = await openHouse(t);
  const { limits } = await house.process();
  await limits.jobTickets.reserve(await house.principal(), MODEL, charge, 'job_1', 200);
  assert.deepEqual(await house.taken(), { tickets: 1, slots: 0, requests: 1, tokens: 500 });
  await until(async () => {
    const swept = await house.table.sweep('acme', 10);
    return swept.ok && swept.value.forgotten === 1;
  });
  assert.deepEqual(await house.taken(), nothing);
  assert.deepEqual(await house.booked(), [0, 0, 0, 0]);
});

test('limits that have changed since the record was read are not admitted by', async (t) => {
  const house = await openHouse(t);
  const { limits } = await house.process();
  const old = await house.principal();
  await house.store.updateTenant('acme', { limits: { max_concurrent: 2 } });
  assert.equal((await limits.jobTickets.reserve(old, MODEL, charge, 'job_1', LIFETIME_MS)).kind, 'stale');
  assert.equal((await limits.jobTickets.resume(old, MODEL, charge, 'job_1')).kind, 'stale');
  const now = await house.principal();
  assert.equal((await limits.jobTickets.resume(now, MODEL, charge, 'job_1')).kind, 'admitted');
});
