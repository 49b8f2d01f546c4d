/** The real program, as a newcomer meets it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { allGone, family, newFolder, printedKey, realUp, start } from './support/start.ts';

const runs = promisify(execFile);

test('the printed call answers when pasted, Ctrl-C leaves nothing, a later start knows the key', async (context) => {
  const folder = newFolder(context);
  const first = start(context, folder, {}, realUp);
  context.diagnostic(await first.line(/^Ready/));
  const curl = (await first.line(/^ {2}curl /)).trim();
  const { stdout } = await runs('sh', ['-c', `${curl} -sS --fail-with-body --max-time 20`]);
  const answer = JSON.parse(stdout);
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.model, 'sim-small');

  const key = await printedKey(first);
  const pids = family(first.pid);
  process.kill(-first.pid, 'SIGINT');
  const { code, output } = await first.ended();
  assert.equal(code, 0);
  assert.match(output, /Stopped\.\n$/);
  await allGone(pids);

  const second = start(context, folder, {}, realUp);
  context.diagnostic(await second.line(/^Ready/));
  assert.equal(await printedKey(second), key);
});

test('kill -9 of the parent leaves nothing of the real program either', async (context) => {
  const folder = newFolder(context);
  const started = start(context, folder, {}, realUp);
  await started.line(/^Ready/);
  const pids = family(started.pid);
  started.process.kill('SIGKILL');
  const tookMs = await allGone(pids);
  context.diagnostic(`all processes gone ${Math.round(tookMs)} ms after kill -9`);
  assert.ok(tookMs < 15_000);
});
