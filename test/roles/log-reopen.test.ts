/** SIGHUP opens the log file anew, so that it can be rotated: no line is lost, and none goes to the old file. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startGateway, until } from '../support/gateway.ts';

test('a log file that was moved away is made anew on SIGHUP', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-log-'));
  const file = join(folder, 'gateway.log');
  const moved = join(folder, 'gateway.log.1');
  const gateway = await startGateway({ env: { LOG_FILE: file } });
  t.after(async () => {
    await gateway.stop();
    await rm(folder, { recursive: true });
  });
  const idsIn = async (path: string) => {
    const text = await readFile(path, 'utf8').catch(() => '');
    return [...text.matchAll(/"request_id":"(call-\d+)"/g)].map(([, id]) => id);
  };
  const call = (id: string) => fetch(`${gateway.url}/health`, { headers: { 'x-request-id': id } });

  await call('call-1');
  await until(async () => (await idsIn(file)).includes('call-1'), 'the first line');
  await rename(file, moved);
  await call('call-2');
  gateway.process.kill('SIGHUP');
  await until(async () => (await readFile(file).catch(() => undefined)) !== undefined, 'the new file');
  await call('call-3');
  await until(async () => (await idsIn(file)).includes('call-3'), 'the line in the new file');
  assert.equal((await idsIn(moved)).includes('call-3'), false);
  const all = [...(await idsIn(moved)), ...(await idsIn(file))];
  assert.deepEqual(all, ['call-1', 'call-2', 'call-3']);
});
