import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { allGone, family, isAlive, newFolder, printedKey, start } from './support/start.ts';

test('kill -9 of the parent leaves no process, and the next start finds key and data', async (context) => {
  const folder = newFolder(context);
  const first = start(context, folder);
  await first.line(/^Ready/);
  const key = await printedKey(first);
  const pids = family(first.pid);
  first.process.kill('SIGKILL');
  const tookMs = await allGone(pids);
  context.diagnostic(`all processes gone ${Math.round(tookMs)} ms after kill -9`);

  const second = start(context, folder);
  await second.line(/^Ready/);
  assert.equal(await printedKey(second), key);
});

test('a Redis whose guard was killed too is ended by the next start before its own opens the data', async (context) => {
  const folder = newFolder(context);
  const first = start(context, folder);
  await first.line(/^Ready/);
  const key = await printedKey(first);
  const redis = Number(readFileSync(join(folder.home, 'redis.pid'), 'utf8'));
  const guard = family(first.pid).find(
    (pid) => family(pid).includes(redis) && pid !== redis && pid !== first.pid,
  );
  const others = family(first.pid).filter((pid) => pid !== redis);
  // Stopped first: between the two kills a running guard may see its parent go and end Redis itself.
  process.kill(guard ?? 0, 'SIGSTOP');
  first.process.kill('SIGKILL');
  process.kill(guard ?? 0, 'SIGKILL');
  await allGone(others);
  assert.ok(isAlive(redis), 'the old Redis runs on');

  const second = start(context, folder);
  await second.line(/^Ready/);
  assert.equal(isAlive(redis), false);
  assert.equal(await printedKey(second), key);
});

test('a killed parent is noticed by gateways that have not come up yet', async (context) => {
  const folder = newFolder(context);
  const first = start(context, folder, { STUB_FAULT: 'hang' });
  await first.line(/^simulator +ready/);
  while (!folder.notes().some((note) => /^gateway \d+ started$/.test(note))) await pause(20);
  const pids = family(first.pid);
  first.process.kill('SIGKILL');
  await allGone(pids);
});
