import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Redis } from 'ioredis';
import { keys, openGround, settlementOf, stepsOf } from './ground.ts';

const DAY_S = 86_400;
const [tenants, keysEach, models] = process.env.SLUICE_LONG === '1' ? [100, 100, 10] : [10, 20, 10];
const spent = {
  inputTokens: 812_345,
  outputTokens: 123_456,
  images: 12,
  gpuMs: 3_456_789,
  costNano: 912_345_678,
};

test('the sums of a day are kept 35 days, those of a month and of a whole day 400', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(Date.UTC(2027, 0, 31));
  await steps.settle('t1', settlementOf(spent));
  const lifetimeS = (name: string) => steps.client.ttl(name);
  const root = 'sluice:1:{acme}';
  const expected = [
    [`${root}:usage:2027-01-31:k1:m1`, 35],
    [`${root}:usage:2027-01:k1:m1`, 400],
    [`${root}:usage:2027-01-31:*:*`, 400],
    [`${root}:usage-index:2027-01`, 400],
  ] as const;
  for (const [name, days] of expected) {
    const seconds = await lifetimeS(name);
    assert.ok(seconds > days * DAY_S - 60 && seconds <= days * DAY_S, `${name} lives ${seconds} s`);
  }
  assert.deepEqual((await steps.client.keys(`${root}:usage*`)).sort(), expected.map(([name]) => name).sort());
  assert.deepEqual(await steps.client.smembers(`${root}:usage-index:2027-01`), ['k1 m1']);
});

test('a day of a key and a model takes at most 300 bytes', async (t) => {
  const ground = await openGround(t);
  ground.setTime(Date.UTC(2027, 0, 31));
  await book(ground, 'warm-up');
  ground.setTime(Date.UTC(2027, 1, 1));
  const before = await usedMemory(ground.client);
  for (let tenant = 0; tenant < tenants; tenant += 1) await book(ground, `tenant-${tenant}`);
  const all = await usedMemory(ground.client);
  // The second day of the month makes new days only; the sums of the month are there.
  ground.setTime(Date.UTC(2027, 1, 2));
  for (let tenant = 0; tenant < tenants; tenant += 1) await book(ground, `tenant-${tenant}`);
  const perDay = ((await usedMemory(ground.client)) - all) / (tenants * keysEach * models);
  const name = keys.usage('tenant-1', '2027-02-02', keyId(1), modelName(1));
  const own = await ground.client.memory('USAGE', name);
  t.diagnostic(
    `${tenants} tenants x ${keysEach} keys x ${models} models: ${perDay.toFixed(0)} bytes a day, key and model, ` +
      `MEMORY USAGE ${own}; the first day of a month ${((all - before) / (tenants * keysEach * models)).toFixed(0)}`,
  );
  assert.ok(perDay <= 300, `${perDay} bytes of used memory`);
  assert.ok(Number(own) <= 300, `${own} bytes of MEMORY USAGE`);
});

const keyId = (index: number) => `key_${String(index).padStart(12, '0')}`;
const modelName = (index: number) => `llama-3.1-70b-${index}`;
let number = 0;

/** One call of each key and model of a tenant, without leaving tickets. */
async function book(
  { table, client }: Awaited<ReturnType<typeof openGround>>,
  tenant: string,
): Promise<void> {
  const closings = Array.from({ length: keysEach * models }, (_, index) => ({
    ticket: `t${index}`,
    keyId: keyId(Math.floor(index / models)),
    model: modelName(index % models),
    settlement: settlementOf(spent),
  }));
  for (let at = 0; at < closings.length; at += 200) {
    number += 1;
    await table.settle(tenant, { replica: 'r1', number, callsKept: 0 }, closings.slice(at, at + 200));
  }
  await client.del(keys.tickets(tenant), keys.leases(tenant), keys.settled(tenant, 'r1'));
}

async function usedMemory(client: Redis): Promise<number> {
  const [, bytes] = /used_memory:(\d+)/.exec(await client.info('memory')) ?? [];
  return Number(bytes);
}
