import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callOf, oneCall, openGround, pace, scopeOf, settlementOf, stepsOf } from './ground.ts';

const BEGIN_MS = Date.UTC(2027, 0, 1);
/** 1 token a ms. */
const tenant = scopeOf('tenant', { tokens: pace(60_000, 1_000) });
const call = (ticket: string, inputTokens: number) =>
  callOf(ticket, { tenant, charge: { ...oneCall, inputTokens } });

test('a reservation above the burst is admitted when the bucket is full, and at no other time', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  assert.equal(await steps.code(call('small', 1)), 0);
  const { verdicts } = await steps.admit([call('large', 1_500)]);
  assert.deepEqual(verdicts, [{ code: 102, waitMs: 1 }]);
  steps.setTime(BEGIN_MS + 1);
  assert.equal(await steps.code(call('large', 1_500)), 0);
});

test('the rest of such a reservation is debt, and while there is debt nobody is admitted', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  assert.equal(await steps.code(call('large', 1_500)), 0);
  const { verdicts, states } = await steps.admit([call('one', 1)]);
  assert.deepEqual(verdicts, [{ code: 102, waitMs: 501 }]);
  assert.equal(states.get('tenant')?.tokensLeft, 0);
  assert.equal(states.get('tenant')?.tokensFullInMs, 1_500);
  steps.setTime(BEGIN_MS + 500);
  assert.equal(await steps.code(call('one', 1)), 102);
  steps.setTime(BEGIN_MS + 501);
  assert.equal(await steps.code(call('one', 1)), 0);
});

test('debt beyond one burst is forgiven in the bucket, in quota and books it is not', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  const quotas = [{ period: 5, max: [undefined, 1_000_000, undefined, undefined, undefined] }];
  const counted = { ...tenant, quotas };
  await steps.admit([callOf('t1', { tenant: counted, charge: { ...oneCall, inputTokens: 10 } })]);
  assert.equal(await steps.settle('t1', settlementOf({ inputTokens: 50_000 })), 'open');
  const { verdicts } = await steps.admit([call('one', 1)]);
  assert.deepEqual(verdicts, [{ code: 102, waitMs: 1_001 }]);
  steps.setTime(BEGIN_MS + 300);
  assert.deepEqual((await steps.admit([call('one', 1)])).verdicts, [{ code: 102, waitMs: 701 }]);
  assert.equal((await steps.account('tenant'))['5'], '0 1 50000 0 0 0');
  const books = await steps.client.hgetall('sluice:1:{acme}:usage:2027-01-01:k1:m1');
  assert.equal(books.i, '50000');
});

test('what comes back never fills a bucket above its burst', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(call('t1', 900));
  steps.setTime(BEGIN_MS + 800);
  assert.equal(await steps.settle('t1', settlementOf()), 'open');
  const { states } = await steps.admit([call('all', 1_000), call('one', 1)]);
  assert.equal(states.get('tenant')?.tokensLeft, 0);
  assert.equal(states.get('tenant')?.tokensFullInMs, 1_000);
});

test('a call that is void gives back its place among the requests and all its tokens', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  const both = scopeOf('tenant', { requests: pace(60, 1), tokens: pace(60_000, 1_000), slots: 1 });
  const whole = (ticket: string) =>
    callOf(ticket, { tenant: both, charge: { ...oneCall, inputTokens: 1_000 } });
  assert.equal(await steps.code(whole('t1')), 0);
  assert.notEqual(await steps.code(whole('t2')), 0);
  await steps.settle('t1');
  assert.equal(await steps.code(whole('t2')), 0);
  assert.deepEqual(await steps.client.keys('*usage*'), []);
});

test('a rate that changes keeps what the bucket held, and its debt', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(call('t1', 400));
  const faster = scopeOf('tenant', { tokens: pace(120_000, 2_000) });
  const slower = scopeOf('tenant', { tokens: pace(6_000, 100) });
  const left = async (scope: typeof tenant) =>
    (await steps.admit([callOf('t1', { tenant: scope })])).states.get('tenant')?.tokensLeft;
  assert.equal(await left(faster), 600);
  assert.equal(await left(slower), 100);
  assert.equal(await left(tenant), 100, 'what a smaller bucket cannot hold is gone');
});
