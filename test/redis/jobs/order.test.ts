import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asEstimated, BEGIN_MS, completed, got, LINE, openGround } from './ground.ts';

test('tenants take turns by cost over weight, whoever came first and with however much', async (t) => {
  const { accept, pick } = await openGround(t);
  for (let job = 1; job <= 6; job += 1) await accept(`many_${job}`, { tenant: 'many' });
  for (let job = 1; job <= 2; job += 1) await accept(`large_${job}`, { tenant: 'large', cost: 3_000 });
  for (let job = 1; job <= 4; job += 1) await accept(`heavy_${job}`, { tenant: 'heavy', weight: 2 });
  const order = await pick(12);
  assert.deepEqual(order, [
    ...['heavy_1', 'large_1', 'many_1', 'heavy_2', 'heavy_3', 'many_2', 'heavy_4', 'many_3'],
    ...['large_2', 'many_4', 'many_5', 'many_6'],
  ]);
});

test('within a tenant the higher priority goes first, then the one that came first, also when put back', async (t) => {
  const { accept, pick, table } = await openGround(t);
  for (const [id, priority] of Object.entries({ a: 5, b: 0, c: 9, d: 5 })) await accept(id, { priority });
  assert.deepEqual(await pick(2), ['c', 'a']);
  await table.putBack('a', 0);
  assert.deepEqual(got(await table.place('d')), { place: 'waiting', rank: 1 });
  assert.deepEqual(got(await table.place('c')), { place: 'handed' });
  assert.deepEqual(await pick(9), ['a', 'd', 'b']);
});

test('a tenant that was idle or parked has saved nothing up, and owes what it has used', async (t) => {
  const { accept, pick, setTime, table } = await openGround(t);
  for (let job = 1; job <= 9; job += 1) await accept(`busy_${job}`, { tenant: 'busy' });
  await accept('parked_1', { tenant: 'parked' });
  await accept('parked_2', { tenant: 'parked' });
  await accept('late_0', { tenant: 'late', cost: 3_000 });
  assert.equal(got(await table.park(LINE, 'parked', 1_000)), BEGIN_MS + 1_000);
  assert.deepEqual(await pick(4), ['busy_1', 'late_0', 'busy_2', 'busy_3']);
  setTime(BEGIN_MS + 1_000);
  await accept('late_1', { tenant: 'late' });
  await accept('new_1', { tenant: 'new' });
  await accept('new_2', { tenant: 'new' });
  assert.deepEqual(await pick(6), ['new_1', 'parked_1', 'busy_4', 'late_1', 'new_2', 'parked_2']);
});

test('a parked tenant is picked again from the moment that was named, or when it is called back', async (t) => {
  const { accept, pick, setTime, table } = await openGround(t);
  await table.park(LINE, 'acme', 1_000);
  for (const id of ['a', 'b', 'c']) await accept(id);
  setTime(BEGIN_MS + 999);
  assert.deepEqual(await pick(1), []);
  setTime(BEGIN_MS + 1_000);
  assert.deepEqual(await pick(1), ['a']);
  await table.park(LINE, 'acme', 1_000);
  assert.deepEqual(await pick(1), []);
  await table.park(LINE, 'acme', 0);
  assert.deepEqual(await pick(1), ['b']);
});

test('what came back without having run costs no turn, and what cost more than estimated costs turns', async (t) => {
  const { accept, pick, table } = await openGround(t);
  for (let job = 1; job <= 3; job += 1) {
    await accept(`a${job}`, { tenant: 'a' });
    await accept(`b${job}`, { tenant: 'b' });
  }
  assert.deepEqual(await pick(1), ['a1']);
  await table.putBack('a1', 0);
  assert.deepEqual(await pick(2), ['a1', 'b1']);
  await table.start('a1', 'run', 1);
  await table.finish('a1', 1, completed, { cost: 3_000, usage: undefined });
  assert.deepEqual(await pick(9), ['b2', 'b3', 'a2', 'a3']);
});

test('lines do not hold each other up', async (t) => {
  const { accept, table } = await openGround(t);
  await accept('a', { line: 'full' });
  await accept('b', { line: 'free' });
  assert.deepEqual(got(await table.pick('free', 5)), [{ id: 'b', tenant: 'acme' }]);
});

test('a record that was taken away by hand does not hold up its line', async (t) => {
  const { accept, client, pick } = await openGround(t);
  await accept('a');
  await accept('b');
  await client.del('sluice:1:{_jobs}:job:a');
  assert.deepEqual(await pick(5), ['b']);
});

test('a line begins anew when nothing waits and nothing runs', async (t) => {
  const { accept, client, pick, table } = await openGround(t);
  await accept('a1', { tenant: 'a', cost: 9_000 });
  await pick(1);
  await table.start('a1', 'run', 1);
  await accept('a2', { tenant: 'a' });
  await accept('b1', { tenant: 'b' });
  assert.deepEqual(await pick(1), ['b1'], 'while the line is busy, a owes');
  for (const id of ['a1', 'a2', 'b1']) await table.cancel(id, undefined, 'operator');
  assert.equal(await client.exists('sluice:1:{_jobs}:lines'), 0);
  await accept('b2', { tenant: 'b' });
  await accept('a3', { tenant: 'a' });
  assert.deepEqual(await pick(2), ['a3', 'b2'], 'nobody owes any more');
});

test('a new primary whose clock is behind stands still, and does not step back', async (t) => {
  const { accept, setTime, table } = await openGround(t);
  await accept('a');
  setTime(BEGIN_MS - 5_000);
  assert.equal(got(await table.clock()), BEGIN_MS);
  setTime(BEGIN_MS - 61_000);
  assert.equal(got(await table.clock()), BEGIN_MS - 61_000);
  await table.finish('a', 1, completed, asEstimated);
});
