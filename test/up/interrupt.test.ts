import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allGone, family, newFolder, start } from './support/start.ts';

test('Ctrl-C lets gateways drain while all they need is there, ends Redis last and leaves nothing', async (context) => {
  const folder = newFolder(context);
  const started = start(context, folder, { STUB_DRAIN_MS: '300' });
  await started.line(/^Ready/);
  const pids = family(started.pid);
  assert.equal(pids.length, 7, 'itself, the guard, Redis, the simulator, two gateways, a worker');

  // A terminal signals the whole group, and npm passes the signal on once more.
  process.kill(-started.pid, 'SIGINT');
  process.kill(started.pid, 'SIGINT');
  const { code, output } = await started.ended();
  assert.equal(code, 0);
  assert.match(output, /Stopped\.\n$/);
  await allGone(pids);

  const drained = folder.notes().filter((note) => note.includes('drained'));
  assert.equal(drained.length, 2);
  for (const note of drained) assert.match(note, /redis=PONG simulator=there$/);
  assert.match(folder.notes().at(-1) ?? '', /^simulator \d+ drains SIGTERM$/);
});

test('a second Ctrl-C, a second later, ends at once and leaves nothing', async (context) => {
  const folder = newFolder(context);
  const started = start(context, folder, { STUB_DRAIN_MS: '60000' });
  await started.line(/^Ready/);
  const pids = family(started.pid);
  started.process.kill('SIGINT');
  await started.line(/^Stopping/);
  started.process.kill('SIGTERM');
  assert.equal((await started.ended()).code, 1);
  await allGone(pids);
});

test('Ctrl-C during the start leaves nothing', async (context) => {
  const folder = newFolder(context);
  const started = start(context, folder);
  await started.line(/^redis +ready/);
  const pids = family(started.pid);
  started.process.kill('SIGINT');
  assert.equal((await started.ended()).code, 0);
  await allGone(pids);
});
