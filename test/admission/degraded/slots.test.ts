import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalAccounts } from '../../../src/admission/degraded/local-accounts.ts';
import type { TicketRequest } from '../../../src/redis/ticket-table.ts';
import { call, scope, shareAmong } from './calls.ts';

const REFUSED = { code: 103, waitMs: -1 };

test('slots are shared out, and the calls that Redis admitted hold theirs', async () => {
  const share = shareAmong(2);
  const tenant = scope('tenant', { slots: 6 });
  const fromRedis = [call([tenant]), call([tenant])];
  for (const request of fromRedis) share.began('acme', request);
  const local = call([tenant]);
  assert.equal((await share.admit('acme', local)).code, 0);
  assert.deepEqual(await share.admit('acme', call([tenant])), REFUSED);
  share.ended('acme', fromRedis[0] as TicketRequest, undefined);
  const next = call([tenant]);
  assert.equal((await share.admit('acme', next)).code, 0);
  assert.deepEqual(await share.admit('acme', call([tenant])), REFUSED);
});

test('a call that another limit refuses takes no slot', async () => {
  const share = shareAmong(1);
  const tenant = scope('tenant', { slots: 1, requests: 100 });
  const key = scope('key:k', { requests: 1 });
  const first = call([undefined, key]);
  assert.equal((await share.admit('acme', first)).code, 0);
  for (let index = 0; index < 5; index += 1) {
    assert.equal((await share.admit('acme', call([tenant, key]))).code, 201);
  }
  assert.equal((await share.admit('acme', call([tenant]))).code, 0);
});

test('whatever happens in whatever order, slots never exceed the share and all come back', async () => {
  let seed = 20_261_121;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const share = shareAmong(2);
  const tenant = scope('tenant', { slots: 10 });
  const keys = [scope('key:a', { slots: 4 }), scope('key:b', { requests: 600 })];
  const running: { readonly request: TicketRequest; readonly key: number }[] = [];
  for (let step = 0; step < 3_000; step += 1) {
    const key = random(2);
    if (random(2) === 0) {
      const request = call([tenant, keys[key]]);
      const mayRun = running.length < 5 && (key === 1 || running.filter((one) => one.key === 0).length < 2);
      const { code } = await share.admit('acme', request);
      if (code === 0) running.push({ request, key });
      assert.ok(code === 0 ? mayRun : !mayRun || code === 201, `step ${step}: ${code}`);
    } else {
      const [ended] = running.splice(random(running.length), 1);
      if (ended) share.ended('acme', ended.request, random(2) === 0 ? undefined : ended.request.charge);
    }
  }
  for (const { request } of running) share.ended('acme', request, undefined);
  for (let index = 0; index < 5; index += 1)
    assert.equal((await share.admit('acme', call([tenant]))).code, 0);
  assert.deepEqual(await share.admit('acme', call([tenant])), REFUSED);
});

test('what is remembered of tenants is bounded, and no running call is forgotten', () => {
  const accounts = new LocalAccounts(1_000);
  accounts.of('busy', 'tenant').running = 1;
  for (let index = 0; index < 5_000; index += 1) accounts.of(`tenant-${index}`, 'tenant');
  assert.ok(accounts.size <= 1_000, `${accounts.size}`);
  assert.equal(accounts.of('busy', 'tenant').running, 1);
});
