/** Prometheus' own tool finds no fault with the metrics of real processes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { missingPrograms, programPath } from '../support/programs.ts';
import { busyProcesses, textOf } from './support/processes.ts';

const ends = new AsyncDisposableStack();
const skip = missingPrograms('promtool');
let texts: Record<'gateway' | 'worker', string>;

before(async () => {
  if (skip) return;
  const { gateway, workerAdminUrl } = await busyProcesses(ends);
  texts = { gateway: await textOf(gateway.adminUrl), worker: await textOf(workerAdminUrl) };
});

after(() => ends.disposeAsync());

for (const role of ['gateway', 'worker'] as const) {
  test(`promtool check metrics has nothing to say about those of a ${role}`, { skip }, async () => {
    assert.ok(texts[role].split('\n').length > 200, 'there are metrics');
    assert.deepEqual(await check(texts[role]), { status: 0, said: '' });
  });
}

test('promtool does find fault with a name that breaks its rules', { skip }, async () => {
  const { status, said } = await check(
    '# HELP sluice_things_total Things.\n# TYPE sluice_things_total gauge\nsluice_things_total 1\n',
  );
  assert.notEqual(status, 0);
  assert.match(said, /sluice_things_total/);
});

async function check(text: string): Promise<{ status: number | null; said: string }> {
  const tool = spawn(programPath('promtool') as string, ['check', 'metrics']);
  let said = '';
  for (const stream of [tool.stdout, tool.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      said += piece;
    });
  }
  tool.stdin.end(text);
  const [status] = (await once(tool, 'close')) as [number | null];
  return { status, said };
}
