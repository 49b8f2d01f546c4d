import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callOf, openGround, pace, scopeOf, stepsOf } from './ground.ts';

const BEGIN_MS = Date.UTC(2027, 0, 1);

test('a rate that is raised fills an empty bucket from the first call on, although that call is refused', async (t) => {
  const steps = stepsOf(await openGround(t));
  const call = (ticket: string, perMinute: number) =>
    callOf(ticket, { tenant: scopeOf('tenant', { requests: pace(perMinute, 1) }) });
  steps.setTime(BEGIN_MS);
  assert.equal(await steps.code(call('first', 2)), 0);
  assert.equal(await steps.code(call('second', 2)), 101);
  const { verdicts } = await steps.admit([call('third', 1_000)]);
  assert.deepEqual(verdicts, [{ code: 101, waitMs: 60 }]);
  steps.setTime(BEGIN_MS + 60);
  assert.equal(await steps.code(call('fourth', 1_000)), 0, 'as it was told');
});
