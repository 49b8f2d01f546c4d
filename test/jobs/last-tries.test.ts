/** Those that may kill their worker run one after the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LastTries } from '../../src/jobs/last-tries.ts';

const never = new AbortController().signal;

test('each waits until the one before has left, in the order in which they came', async () => {
  const tries = new LastTries();
  const order: string[] = [];
  const run = async (name: string) => {
    const leave = await tries.enter(never);
    order.push(`${name} in`);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`${name} out`);
    leave();
  };
  await Promise.all(['a', 'b', 'c'].map(run));
  assert.deepEqual(order, ['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
});

test('whoever is told to end waits no longer, and lets nobody pass by that', async () => {
  const tries = new LastTries();
  const leave = await tries.enter(never);
  const told = new AbortController();
  const second = tries.enter(told.signal);
  let isIn = false;
  const third = tries.enter(never).then(() => {
    isIn = true;
  });
  told.abort('shutdown');
  (await second)();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isIn, false);
  leave();
  await third;
  assert.equal(isIn, true);
});

test('an end that was told before is obeyed at once', async () => {
  const tries = new LastTries();
  await tries.enter(never);
  await tries.enter(AbortSignal.abort('lock_lost'));
});
