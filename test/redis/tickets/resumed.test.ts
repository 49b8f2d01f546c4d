import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allParts, callOf, oneCall, openGround, pace, scopeOf, settlementOf, stepsOf } from './ground.ts';

const BEGIN_MS = Date.UTC(2027, 0, 1);
const atTheDoor = { quota: true, rate: false, slot: false };
const charge = { ...oneCall, inputTokens: 400, outputTokens: 100 };
const day = { period: 3, max: [10, 1_000, undefined, undefined, undefined] };
const tenant = scopeOf('tenant', { requests: pace(60, 1), tokens: pace(600), slots: 1, quotas: [day] });

const dayOfTenant = (account: Record<string, string>) => account['3']?.split(' ').slice(1, 3).map(Number);

test('a job takes its quota at the door, the rest when it runs, and is charged once', async (t) => {
  const ground = await openGround(t);
  ground.setTime(BEGIN_MS);
  const steps = stepsOf(ground);
  assert.equal(await steps.code(callOf('job', { tenant, charge, parts: atTheDoor }), 3_600_000), 0);
  const waiting = await steps.account('tenant');
  assert.deepEqual(dayOfTenant(waiting), [1, 500]);
  assert.equal(waiting.n, undefined, 'no slot yet');

  const run = callOf('job', { tenant, charge, parts: allParts, resumes: true });
  const { verdicts, states } = await steps.admit([run]);
  assert.deepEqual(verdicts, [{ code: 0, waitMs: 0 }]);
  assert.equal(states.get('tenant')?.slotsTaken, 1);
  assert.equal(states.get('tenant')?.tokensLeft, 100);
  assert.deepEqual(dayOfTenant(await steps.account('tenant')), [1, 500], 'the quota is not taken again');

  assert.equal(await steps.settle('job', settlementOf({ inputTokens: 300, outputTokens: 100 })), 'open');
  const after = await steps.account('tenant');
  assert.equal(after.n, '0');
});

test('the next attempt goes on in the slot of the one before, although there is only one', async (t) => {
  const ground = await openGround(t);
  ground.setTime(BEGIN_MS);
  const steps = stepsOf(ground);
  assert.equal(await steps.code(callOf('job', { tenant, charge })), 0);
  assert.equal((await steps.code(callOf('other', { tenant, charge }))) % 100 > 0, true);
  assert.equal(await steps.code(callOf('job', { tenant, charge, resumes: true })), 0);
  assert.equal((await steps.account('tenant')).n, '1');
  assert.equal(await steps.settle('job', settlementOf({ inputTokens: 400, outputTokens: 100 })), 'open');
  const after = await steps.account('tenant');
  assert.equal(after.n, '0');
  assert.deepEqual(dayOfTenant(after), [1, 500]);
});

test('an attempt that is refused leaves what the one before has taken', async (t) => {
  const ground = await openGround(t);
  ground.setTime(BEGIN_MS);
  const steps = stepsOf(ground);
  assert.equal(await steps.code(callOf('job', { tenant, charge, parts: atTheDoor })), 0);
  assert.equal(
    await steps.code(callOf('other', { tenant, parts: { quota: false, rate: false, slot: true } })),
    0,
  );
  assert.equal(await steps.code(callOf('job', { tenant, charge, resumes: true })), 103);
  assert.deepEqual(dayOfTenant(await steps.account('tenant')), [1, 500]);
  assert.equal(await steps.settle('job', undefined), 'open');
  assert.deepEqual(dayOfTenant(await steps.account('tenant')), [0, 0]);
});
