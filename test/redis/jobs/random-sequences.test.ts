import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGround } from './ground.ts';
import { randomRun } from './random-run.ts';

const steps = process.env.SLUICE_LONG === '1' ? 100_000 : 10_000;
const seed = Number(process.env.SLUICE_SEED ?? Date.now() % 1_000_000);

test('whatever is done in whatever order, jobs are taken, ordered, run and ended as in the model', async (t) => {
  const begunMs = performance.now();
  const { counts, difference } = await randomRun(await openGround(t), seed, steps);
  const seconds = ((performance.now() - begunMs) / 1_000).toFixed(1);
  t.diagnostic(`seed ${seed}, ${steps} steps, ${seconds} s; again with SLUICE_SEED=${seed}`);
  t.diagnostic([...counts].map(([what, count]) => `${what} ${count}`).join(', '));
  assert.equal(difference, undefined, `with SLUICE_SEED=${seed}: ${difference}`);
});
