import assert from 'node:assert/strict';
import { test } from 'node:test';
import { periodAt, periodEndMs } from '../../../src/admission/degraded/periods.ts';
import { admittedOf, call, DAY, MINUTE, quota, scope, shareAmong, stateOf, TOTAL } from './calls.ts';

const NOON_MS = Date.UTC(2026, 10, 21, 12);
const HALF_A_DAY_MS = 12 * 3_600_000;
const noon = () => NOON_MS;

test('of what was left when Redis last spoke, a replica spends its share, and what is spent stays spent', async () => {
  const share = shareAmong(4, noon);
  const tenant = scope('tenant', { quotas: [quota(DAY, 100)] });
  share.remember('acme', call([tenant]), stateOf('tenant', [60, 0, 0, 0, 0]));
  assert.equal(await admittedOf(50, share, () => call([tenant])), 10);
  assert.deepEqual(await share.admit('acme', call([tenant])), { code: 131, waitMs: HALF_A_DAY_MS });
});

test('a quota that Redis never spoke of counts as whole', async () => {
  const share = shareAmong(4, noon);
  const tenant = scope('tenant', { quotas: [quota(TOTAL, 100)] });
  assert.equal(await admittedOf(50, share, () => call([tenant])), 25);
  assert.deepEqual(await share.admit('acme', call([tenant])), { code: 151, waitMs: -1 });
});

test('a quota is never rounded up: what is left for fewer than all is left for none', async () => {
  const share = shareAmong(4, noon);
  const key = scope('key:k', { quotas: [quota(DAY, 3)] });
  assert.equal((await share.admit('acme', call([undefined, key]))).code, 231);
});

test('a spent quota admits nobody', async () => {
  const share = shareAmong(1, noon);
  const tenant = scope('tenant', { quotas: [quota(DAY, undefined, undefined, undefined, undefined, 1_000)] });
  share.remember('acme', call([tenant]), stateOf('tenant', [9, 9, 0, 0, 1_200]));
  assert.equal((await share.admit('acme', call([tenant]))).code, 135);
});

test('real usage replaces the estimate, both ways', async () => {
  const share = shareAmong(1, noon);
  const tenant = scope('tenant', { quotas: [quota(DAY, undefined, 1_000)] });
  const make = (inputTokens: number) => call([tenant], { inputTokens });
  const dear = make(600);
  assert.equal((await share.admit('acme', dear)).code, 0);
  assert.equal((await share.admit('acme', make(500))).code, 132);
  share.ended('acme', dear, { ...dear.charge, inputTokens: 100 });
  const cheap = make(500);
  assert.equal((await share.admit('acme', cheap)).code, 0);
  share.ended('acme', cheap, { ...cheap.charge, inputTokens: 900 });
  assert.equal((await share.admit('acme', make(1))).code, 132);
});

test('a refused and a void call cost no quota', async () => {
  const share = shareAmong(1, noon);
  const tenant = scope('tenant', { quotas: [quota(DAY, 2)] });
  const key = scope('key:k', { requests: 1 });
  const first = call([tenant, key]);
  assert.equal((await share.admit('acme', first)).code, 0);
  for (let index = 0; index < 5; index += 1) {
    assert.equal((await share.admit('acme', call([tenant, key]))).code, 201);
  }
  share.ended('acme', first, undefined);
  assert.equal(await admittedOf(5, share, () => call([tenant])), 2);
});

test('what Redis says anew counts from then on', async () => {
  const share = shareAmong(1, noon);
  const tenant = scope('tenant', { quotas: [quota(DAY, 10)] });
  assert.equal(await admittedOf(20, share, () => call([tenant])), 10);
  share.remember('acme', call([tenant]), stateOf('tenant', [7, 0, 0, 0, 0]));
  assert.equal(await admittedOf(20, share, () => call([tenant])), 3);
});

test('a new period begins with the whole quota; a clock that is set back gives nothing', async () => {
  let nowMs = NOON_MS;
  const share = shareAmong(1, () => nowMs);
  const tenant = scope('tenant', { quotas: [quota(MINUTE, 10), quota(TOTAL, 1_000)] });
  share.remember('acme', call([tenant]), stateOf('tenant', [6, 0, 0, 0, 0], [6, 0, 0, 0, 0]));
  assert.equal(await admittedOf(20, share, () => call([tenant])), 4);
  nowMs += 60_000;
  assert.equal(await admittedOf(20, share, () => call([tenant])), 10);
  nowMs -= 60_000;
  assert.equal(await admittedOf(20, share, () => call([tenant])), 0);
});

test('periods are those of the calendar in UTC', () => {
  const month = 4;
  const lateMs = Date.UTC(2028, 1, 29, 23, 59, 59, 999);
  assert.equal(periodEndMs(month, lateMs), 1);
  assert.equal(periodAt(month, lateMs) + 1, periodAt(month, lateMs + 1));
  assert.equal(periodAt(month, Date.UTC(2026, 11, 31)) + 1, periodAt(month, Date.UTC(2027, 0, 1)));
  assert.equal(periodEndMs(2, NOON_MS + 1), 3_599_999);
  assert.equal(periodAt(DAY, lateMs) + 1, periodAt(DAY, lateMs + 1));
});
