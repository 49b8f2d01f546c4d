import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  callOf,
  LEASE_MS,
  openGround,
  pace,
  scopeOf,
  settlementOf,
  snapshot,
  stepsOf,
  TENANT,
} from './ground.ts';

const tenant = scopeOf('tenant', { requests: pace(60, 1), slots: 1 });
const call = callOf('t1', { tenant });

test('a ticket that is asked for again gets its first verdict, and takes nothing more', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(Date.UTC(2027, 0, 1));
  assert.equal(await steps.code(call), 0);
  const before = await snapshot(steps.client);
  assert.equal(await steps.code(call), 0);
  assert.deepEqual(await snapshot(steps.client), before);
});

test('a ticket that has run out gets its first verdict too', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(Date.UTC(2027, 0, 1));
  await steps.code(call);
  steps.setTime(Date.UTC(2027, 0, 1) + LEASE_MS + 1);
  await steps.table.sweep(TENANT, 10);
  const before = await snapshot(steps.client);
  assert.equal(await steps.code(call), 0);
  assert.deepEqual(await snapshot(steps.client), before);
});

for (const [how, settlement] of [
  ['with zero', undefined],
  ['with what it has cost', settlementOf({ inputTokens: 9 })],
] as const) {
  test(`an admission that runs after its ticket was closed ${how} takes nothing`, async (t) => {
    const steps = stepsOf(await openGround(t));
    steps.setTime(Date.UTC(2027, 0, 1));
    assert.equal(await steps.settle('t1', settlement), 'absent');
    const before = await snapshot(steps.client);
    assert.equal(await steps.code(call), 0);
    assert.deepEqual(await snapshot(steps.client), before);
  });
}

test('the marker of a closed ticket is forgotten after ten minutes', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(Date.UTC(2027, 0, 1));
  await steps.settle('t1');
  steps.setTime(Date.UTC(2027, 0, 1) + 599_999);
  assert.deepEqual(await steps.table.sweep(TENANT, 10), {
    ok: true,
    value: { expired: 0, forgotten: 0, left: 1 },
  });
  steps.setTime(Date.UTC(2027, 0, 1) + 600_000);
  assert.deepEqual(await steps.table.sweep(TENANT, 10), {
    ok: true,
    value: { expired: 0, forgotten: 1, left: 0 },
  });
  assert.equal(await steps.client.exists('sluice:1:{acme}:tickets'), 0);
});

test('one ticket that stands twice in a batch is taken once', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(Date.UTC(2027, 0, 1));
  const wide = scopeOf('tenant', { slots: 5 });
  const { verdicts } = await steps.admit([callOf('t1', { tenant: wide }), callOf('t1', { tenant: wide })]);
  assert.deepEqual(
    verdicts.map(({ code }) => code),
    [0, 0],
  );
  assert.equal((await steps.account('tenant')).n, '1');
});
