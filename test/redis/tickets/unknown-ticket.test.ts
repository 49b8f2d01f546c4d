import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callOf, oneCall, openGround, pace, scopeOf, settlementOf, stepsOf } from './ground.ts';

const BEGIN_MS = Date.UTC(2027, 0, 1);
const quotas = [3, 5].map((period) => ({
  period,
  max: [1_000, 1_000_000, undefined, undefined, undefined] as const,
}));
const limits = { requests: pace(60), tokens: pace(60_000), slots: 3, quotas };
const tenant = scopeOf('tenant', limits);
const key = scopeOf('key:k1', limits);
const real = settlementOf({ inputTokens: 40, outputTokens: 2, costNano: 3 });

test('a call that ran without admission is booked whole and charged to the quotas there are', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(callOf('t1', { tenant, key, charge: { ...oneCall, inputTokens: 100 } }));
  const before = await steps.account('tenant');
  assert.equal(await steps.settle('local', real), 'absent');
  const day = BEGIN_MS / 86_400_000;
  const used = { '3': `${day} 2 142 0 0 3`, '5': '0 2 142 0 0 3' };
  assert.deepEqual(
    { ...(await steps.account('tenant')) },
    { ...before, ...used },
    'buckets and slots are as before',
  );
  assert.equal((await steps.account('key:k1'))['5'], '0 2 142 0 0 3');
  const books = await steps.client.hgetall('sluice:1:{acme}:usage:2027-01-01:k1:m1');
  assert.deepEqual({ ...books }, { c: '1', i: '40', o: '2', n: '3', d: '5' });
});

test('of an account without quotas it makes none', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  assert.equal(await steps.settle('local', real), 'absent');
  assert.deepEqual(await steps.client.keys('*:account:*'), []);
  assert.equal(await steps.client.hget('sluice:1:{acme}:usage:2027-01:k1:m1', 'i'), '40');
});

test('it is charged to the period of today, also where nobody was admitted in it yet', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(BEGIN_MS);
  await steps.code(callOf('t1', { tenant, charge: { ...oneCall, inputTokens: 100 } }));
  const tomorrowMs = BEGIN_MS + 86_400_000;
  steps.setTime(tomorrowMs);
  await steps.settle('local', real);
  assert.equal((await steps.account('tenant'))['3'], `${tomorrowMs / 86_400_000} 1 42 0 0 3`);
});
