import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callOf, oneCall, openGround, scopeOf, settlementOf, stepsOf } from './ground.ts';

const none = undefined;
const limited = (period: number, requests: number) =>
  scopeOf('tenant', { quotas: [{ period, max: [requests, none, none, none, none] }] });

/** Kind of period, and the first moment of one. */
const edges: readonly [string, number, string][] = [
  ['minute', 1, '2027-03-04T05:06:00.000Z'],
  ['hour', 2, '2027-03-04T05:00:00.000Z'],
  ['day', 3, '2027-03-04T00:00:00.000Z'],
  ['month after 31 days', 4, '2027-04-01T00:00:00.000Z'],
  ['month after 30 days', 4, '2027-05-01T00:00:00.000Z'],
  ['month after 28 days', 4, '2027-03-01T00:00:00.000Z'],
  ['month after 29 days', 4, '2028-03-01T00:00:00.000Z'],
  ['month after the 28 days of 2100', 4, '2100-03-01T00:00:00.000Z'],
  ['month after the 29 days of 2400', 4, '2400-03-01T00:00:00.000Z'],
  ['year', 4, '2029-01-01T00:00:00.000Z'],
];

for (const [name, period, edge] of edges) {
  test(`a spent quota is whole again with the first millisecond of a ${name}, and not before`, async (t) => {
    const steps = stepsOf(await openGround(t));
    const edgeMs = Date.parse(edge);
    const tenant = limited(period, 1);
    steps.setTime(edgeMs - 1_000);
    assert.equal(await steps.code(callOf('t1', { tenant })), 0);
    const { verdicts } = await steps.admit([callOf('t2', { tenant })]);
    assert.deepEqual(verdicts, [{ code: 100 + 10 * period + 1, waitMs: 1_000 }]);
    steps.setTime(edgeMs - 1);
    assert.notEqual(await steps.code(callOf('t2', { tenant })), 0);
    steps.setTime(edgeMs);
    assert.equal(await steps.code(callOf('t2', { tenant })), 0);
  });
}

test('the wait for the end of a month counts the days that the month has', async (t) => {
  const steps = stepsOf(await openGround(t));
  const tenant = limited(4, 0);
  for (const [month, days] of [
    ['2028-02', 29],
    ['2027-02', 28],
    ['2027-12', 31],
    ['2027-11', 30],
  ] as const) {
    steps.setTime(Date.parse(`${month}-01T00:00:00Z`));
    const { verdicts } = await steps.admit([callOf(month, { tenant })]);
    assert.deepEqual(verdicts, [{ code: 141, waitMs: days * 86_400_000 }]);
  }
});

test('a total never begins anew, and nobody is told when to come back', async (t) => {
  const steps = stepsOf(await openGround(t));
  const tenant = limited(5, 1);
  steps.setTime(Date.UTC(2027, 0, 1));
  assert.equal(await steps.code(callOf('t1', { tenant })), 0);
  steps.setTime(Date.UTC(2057, 0, 1));
  const { verdicts } = await steps.admit([callOf('t2', { tenant })]);
  assert.deepEqual(verdicts, [{ code: 151, waitMs: -1 }]);
});

test('a ticket is charged to the period of its admission, in quota and books', async (t) => {
  const steps = stepsOf(await openGround(t));
  const midnightMs = Date.UTC(2027, 1, 1);
  const quotas = [3, 5].map((period) => ({ period, max: [none, 1_000_000, none, none, none] }));
  const tenant = scopeOf('tenant', { quotas });
  const call = (ticket: string) => callOf(ticket, { tenant, charge: { ...oneCall, inputTokens: 100 } });
  steps.setTime(midnightMs - 1);
  await steps.admit([call('january')], 3_600_000);
  steps.setTime(midnightMs + 1);
  await steps.admit([call('february')], 3_600_000);
  assert.equal(await steps.settle('january', settlementOf({ inputTokens: 700 })), 'open');
  const account = await steps.account('tenant');
  assert.equal(account['3'], `${midnightMs / 86_400_000} 1 100 0 0 0`, 'the new day knows nothing of it');
  assert.equal(account['5'], '0 2 800 0 0 0');
  const spans = (await steps.client.keys('*:usage:*:k1:*')).map((name) => name.split(':')[4]).sort();
  assert.deepEqual(spans, ['2027-01', '2027-01-31']);
});

test('images, GPU time and money are counted, and refuse once they are spent', async (t) => {
  const steps = stepsOf(await openGround(t));
  const most = [
    [none, none, 3, none, none],
    [none, none, none, 500, none],
    [none, none, none, none, 90],
  ] as const;
  for (const [index, max] of most.entries()) {
    await steps.client.flushdb();
    steps.setTime(Date.UTC(2027, 0, 1));
    const tenant = scopeOf('tenant', { quotas: [{ period: 5, max }] });
    const call = (ticket: string, images: number) =>
      callOf(ticket, { tenant, charge: { ...oneCall, images, gpuMs: 0, costNano: 0 } });
    assert.equal(await steps.code(call('t1', 2)), 0);
    await steps.settle('t1', settlementOf({ images: 3, gpuMs: 500, costNano: 90 }));
    assert.equal(await steps.code(call('t2', 1)), 153 + index);
    assert.equal(
      await steps.code(call('t3', 0)),
      index === 0 ? 0 : 153 + index,
      'a call without images needs none',
    );
  }
});
