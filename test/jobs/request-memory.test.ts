import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestMemory } from '../../src/jobs/request-memory.ts';

const never = new AbortController().signal;

/** Random sizes and aborts, against the sum of what has entered. */
test('requests never take more than there is, but for one that is larger than all of it', async () => {
  const max = 100;
  const memory = new RequestMemory(max);
  let taken = 0;
  let inside = 0;
  let peak = 0;
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  const visit = async () => {
    const bytes = 1 + random(140);
    const controller = new AbortController();
    if (random(4) === 0) setTimeout(() => controller.abort(), random(3));
    const leave = await memory.enter(bytes, controller.signal);
    if (!controller.signal.aborted) {
      taken += bytes;
      inside += 1;
      assert.ok(taken <= max || inside === 1, `${taken} bytes of ${inside}`);
      peak = Math.max(peak, taken);
      await new Promise((resolve) => setTimeout(resolve, random(3)));
      taken -= bytes;
      inside -= 1;
    }
    leave();
  };
  await Promise.all(Array.from({ length: 500 }, visit));
  assert.equal(taken, 0);
  assert.ok(peak > max / 2);
  // Nothing of it is left: all of it can be had at once.
  const all = await memory.enter(max, never);
  all();
});

test('a large request is not overtaken for ever, and one that gives up makes room for those behind it', async () => {
  const memory = new RequestMemory(100);
  const leaveFirst = await memory.enter(60, never);
  const order: string[] = [];
  const large = new AbortController();
  const enteredLarge = memory.enter(90, large.signal).then((leave) => {
    order.push('large');
    return leave;
  });
  const enteredSmall = memory.enter(30, never).then((leave) => {
    order.push('small');
    return leave;
  });
  await new Promise(setImmediate);
  assert.deepEqual(order, [], 'the small one waits behind the large one');
  large.abort();
  (await enteredLarge)();
  (await enteredSmall)();
  assert.deepEqual(order.toSorted(), ['large', 'small']);
  leaveFirst();
  (await memory.enter(100, never))();
});
