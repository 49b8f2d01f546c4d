/** What is oversized, a key may have otherwise than its model. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { type DoorStage, LARGE, prompt, SMALL, startDoorStage } from './door-stage.ts';

let stage: DoorStage;

before(async () => {
  stage = await startDoorStage();
  await stage.one.admin('POST', '/tenants', { name: 'ruled', oversize: 'async' });
});
after(() => stage.stop());

async function keyWith(oversize_rule: unknown) {
  return stage.one.createKey({ tenant: 'ruled', name: 'test', oversize_rule });
}

async function statusOf(key: string, words: number): Promise<number> {
  return (await stage.post(key, prompt(words))).status;
}

test('a key of a lower bound has requests that become jobs, and one of a higher or none has not', async () => {
  const [usual, low, high, never] = await Promise.all([
    keyWith(null),
    keyWith({ tokens: 100 }),
    keyWith({ tokens: 100_000 }),
    keyWith(false),
  ]);
  const between = 300;
  assert.deepEqual([await statusOf(usual.key, between), await statusOf(usual.key, LARGE)], [200, 202]);
  assert.deepEqual([await statusOf(low.key, SMALL), await statusOf(low.key, between)], [200, 202]);
  assert.equal(await statusOf(high.key, LARGE), 200);
  assert.equal(await statusOf(never.key, LARGE), 200);
});

test('a bound that the rule of the key does not name is that of the model', async () => {
  const { key } = await keyWith({ bytes: 1_000_000 });
  assert.deepEqual([await statusOf(key, SMALL), await statusOf(key, LARGE)], [200, 202]);
});

test('a change of the rule holds for the next requests, through any replica', async () => {
  const { id, key } = await keyWith(null);
  const through = async () => (await stage.post(key, prompt(LARGE), {}, stage.other)).status;
  assert.equal(await through(), 202);
  await stage.one.admin('PATCH', `/keys/${id}`, { oversize_rule: false });
  await until(async () => (await through()) === 200, 'the change to hold');
});
