import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admittedOf, call, scope, shareAmong } from './calls.ts';

test('a replica admits its share of the requests of a minute, and says which limit refuses and for how long', async () => {
  const share = shareAmong(4);
  const key = scope('key:k', { requests: 100 });
  assert.equal(await admittedOf(200, share, () => call([undefined, key])), 25);
  const refused = await share.admit('acme', call([undefined, key]));
  assert.equal(refused.code, 201);
  assert.ok(refused.waitMs > 0 && refused.waitMs <= 60_000, `${refused.waitMs} ms`);
});

test('all replicas together admit no more than the limit, also of calls that come at the same time', async () => {
  const tenant = scope('tenant', { requests: 100 });
  const replicas = [shareAmong(3), shareAmong(3), shareAmong(3)];
  const verdicts = await Promise.all(
    replicas.flatMap((share) => Array.from({ length: 100 }, () => share.admit('acme', call([tenant])))),
  );
  assert.equal(verdicts.filter(({ code }) => code === 0).length, 99);
});

test('a limit below the number of replicas leaves one to each', async () => {
  const share = shareAmong(10);
  assert.equal(await admittedOf(5, share, () => call([scope('tenant', { requests: 3 })])), 1);
});

test('tokens count as they are estimated, and what was not used comes back within the minute', async () => {
  const share = shareAmong(2);
  const tenant = scope('tenant', { tokens: 2_000 });
  const first = call([tenant], { inputTokens: 300, outputTokens: 600 });
  assert.equal((await share.admit('acme', first)).code, 0);
  const second = () => call([tenant], { inputTokens: 600 });
  assert.equal((await share.admit('acme', second())).code, 102);
  share.ended('acme', first, { ...first.charge, outputTokens: 100 });
  assert.equal((await share.admit('acme', second())).code, 0);
  assert.equal((await share.admit('acme', call([tenant], { inputTokens: 1 }))).code, 102);
});

test('a call that costs more than was estimated keeps others out', async () => {
  const share = shareAmong(1);
  const tenant = scope('tenant', { tokens: 1_000 });
  const first = call([tenant], { inputTokens: 100 });
  assert.equal((await share.admit('acme', first)).code, 0);
  share.ended('acme', first, { ...first.charge, outputTokens: 900 });
  assert.equal((await share.admit('acme', call([tenant], { inputTokens: 1 }))).code, 102);
});

test('a refused call costs nothing in any scope', async () => {
  const share = shareAmong(1);
  const tenant = scope('tenant', { requests: 10, tokens: 1_000 });
  const key = scope('key:k', { requests: 5 });
  const both = () => call([tenant, key], { inputTokens: 10 });
  assert.equal(await admittedOf(50, share, both), 5);
  assert.equal(await admittedOf(50, share, () => call([tenant], { inputTokens: 190 })), 5);
});

test('of several that refuse, the one with the longest wait is named', async (t) => {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 0 });
  const share = shareAmong(1);
  const tenant = scope('tenant', { requests: 1 });
  const key = scope('key:k', { requests: 1 });
  await share.admit('acme', call([tenant]));
  t.mock.timers.tick(10_000);
  await share.admit('acme', call([undefined, key]));
  t.mock.timers.tick(10_000);
  assert.deepEqual(await share.admit('acme', call([tenant, key])), { code: 201, waitMs: 50_000 });
});

test('a window ends after a minute, and the next one is a share again', async (t) => {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 0 });
  const share = shareAmong(2);
  const make = () => call([scope('tenant', { requests: 10 })]);
  assert.equal(await admittedOf(20, share, make), 5);
  t.mock.timers.tick(59_999);
  assert.equal(await admittedOf(20, share, make), 0);
  t.mock.timers.tick(1);
  assert.equal(await admittedOf(20, share, make), 5);
});

test('a call above the whole share runs when nothing was taken, and lengthens the window', async (t) => {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 0 });
  const share = shareAmong(4);
  const tenant = scope('tenant', { tokens: 4_000 });
  const large = () => call([tenant], { inputTokens: 1_500 });
  const small = () => call([tenant], { inputTokens: 1 });
  assert.equal((await share.admit('acme', large())).code, 0);
  assert.deepEqual(await share.admit('acme', small()), { code: 102, waitMs: 90_000 });
  t.mock.timers.tick(90_000);
  assert.equal((await share.admit('acme', small())).code, 0);
  assert.equal((await share.admit('acme', large())).code, 102, 'something was taken');
});

test('what a call gives back after its window has ended does not count in the next', async (t) => {
  t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 0 });
  const share = shareAmong(1);
  const tenant = scope('tenant', { tokens: 1_000 });
  const slow = call([tenant], { inputTokens: 1_000 });
  assert.equal((await share.admit('acme', slow)).code, 0);
  t.mock.timers.tick(60_000);
  share.ended('acme', slow, undefined);
  assert.equal(await admittedOf(30, share, () => call([tenant], { inputTokens: 100 })), 10);
});

test('tenants do not share, and neither do a tenant and its keys', async () => {
  const share = shareAmong(1);
  const same = { requests: 1, tokens: 1 };
  const make = (name: string) => call([scope(name, same)], { inputTokens: 1 });
  for (const name of ['tenant', 'key:k', 'model:m', 'key:k:model:m']) {
    assert.equal((await share.admit('acme', make(name))).code, 0);
    assert.equal((await share.admit('umbrella', make(name))).code, 0);
  }
});

test('a void call gives back its request too', async () => {
  const share = shareAmong(1);
  const tenant = scope('tenant', { requests: 1 });
  const first = call([tenant]);
  assert.equal((await share.admit('acme', first)).code, 0);
  share.ended('acme', first, undefined);
  const second = call([tenant]);
  assert.equal((await share.admit('acme', second)).code, 0);
  share.ended('acme', second, second.charge);
  assert.equal((await share.admit('acme', call([tenant]))).code, 101);
});
