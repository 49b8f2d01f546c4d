import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BEGIN_MS, got, openGround } from './ground.ts';

test('a job whose acceptance nobody confirms begins two seconds after it was first asked for', async (t) => {
  const ground = await openGround(t);
  const start = async () => got(await ground.table.start('job_1', 'run', 9)).verdict;
  await ground.accept('job_1', { isTentative: true });
  ground.setTime(BEGIN_MS + 60_000);
  await ground.pick(1);
  assert.equal(await start(), 'tentative', 'however long ago it was accepted');
  ground.setTime(BEGIN_MS + 61_999);
  assert.equal(await start(), 'tentative');
  ground.setTime(BEGIN_MS + 62_000);
  assert.equal(await start(), 'started');
});

test('one that is confirmed begins at once, and confirming one that is gone makes none', async (t) => {
  const ground = await openGround(t);
  await ground.accept('job_1', { isTentative: true });
  await ground.pick(1);
  await ground.table.confirm('job_1');
  assert.equal(got(await ground.table.start('job_1', 'run', 9)).verdict, 'started');
  await ground.table.confirm('job_2');
  assert.equal(got(await ground.table.find('job_2')), undefined);
});
