import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Scope } from '../../../src/redis/ticket-table.ts';
import { callOf, oneCall, openGround, pace, type Steps, scopeOf, snapshot, stepsOf } from './ground.ts';

const none = undefined;
const wide: Partial<Scope> = {
  requests: pace(600),
  tokens: pace(60_000),
  slots: 50,
  quotas: [{ period: 3, max: [1_000, 1_000_000, none, none, none] }],
};
const costly = { ...oneCall, inputTokens: 100 };

/** What the second call fails at, by kind of scope (1 tenant … 4 model of the key). */
const narrow: readonly [string, number, Partial<Scope>][] = [
  ['requests', 1, { requests: pace(1) }],
  ['tokens', 2, { tokens: pace(1_000, 100) }],
  ['slots', 3, { slots: 1 }],
  ['quota of requests in a day', 31, { quotas: [{ period: 3, max: [1, none, none, none, none] }] }],
  ['quota of tokens in all', 52, { quotas: [{ period: 5, max: [none, 150, none, none, none] }] }],
];
const names = ['tenant', 'key:k1', 'model:m1', 'key:k1:model:m1'];

for (const [what, code, limits] of narrow) {
  for (const kind of [1, 2, 3, 4]) {
    test(`a call that ${names[kind - 1]} refuses (${what}) writes nothing anywhere`, async (t) => {
      const steps = stepsOf(await openGround(t));
      await refusedWithoutTrace(steps, kind, limits, kind * 100 + code);
    });
  }
}

async function refusedWithoutTrace(steps: Steps, kind: number, limits: Partial<Scope>, code: number) {
  steps.setTime(Date.UTC(2027, 4, 5, 6, 7));
  const [tenant, key, model, keyModel] = names.map((name, index) =>
    scopeOf(name, index + 1 === kind ? { ...wide, ...limits } : wide),
  );
  const call = (ticket: string) => ({
    ...callOf(ticket, { charge: costly }),
    scopes: [tenant, key, model, keyModel] as const,
  });
  assert.equal(await steps.code(call('t1')), 0);
  const before = await snapshot(steps.client);
  assert.equal(before.size, 7, 'four accounts, meta, tickets, leases');
  assert.equal(await steps.code(call('t2')), code);
  assert.deepEqual(await snapshot(steps.client), before);
}

test('of a batch, those that fit are taken whole and the others not at all', async (t) => {
  const steps = stepsOf(await openGround(t));
  steps.setTime(Date.UTC(2027, 4, 5));
  const tenant = scopeOf('tenant', { requests: pace(60), slots: 2 });
  const key = scopeOf('key:k1', { tokens: pace(1_000) });
  const sizes = [800, 800, 200, 1];
  const { verdicts } = await steps.admit(
    sizes.map((inputTokens, index) =>
      callOf(`t${index}`, { tenant, key, charge: { ...oneCall, inputTokens } }),
    ),
  );
  assert.deepEqual(
    verdicts.map(({ code }) => code),
    [0, 202, 0, 202],
  );
  assert.deepEqual(Object.keys(await steps.client.hgetall('sluice:1:{acme}:tickets')).sort(), ['t0', 't2']);
  assert.equal((await steps.account('tenant')).n, '2');
});

test('a caller whose limits are of another version is told so, and nothing is done', async (t) => {
  const ground = await openGround(t);
  ground.setTime(Date.UTC(2027, 4, 5));
  await ground.client.hset('sluice:1:{acme}:meta', 'version', 7);
  const before = await snapshot(ground.client);
  const tenant = scopeOf('tenant', wide);
  for (const version of [6, 8]) {
    const answer = await ground.table.admit('acme', version, 15_000, [callOf('t1', { tenant })]);
    assert.deepEqual(answer, { ok: true, value: 'stale' });
  }
  assert.deepEqual(await snapshot(ground.client), before);
});
