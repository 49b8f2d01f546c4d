/** A wrong file changes nothing, and both the answer and the log say what is wrong with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sluice } from '../cli/run.ts';
import { startReloading } from './reloading.ts';
import { openStream, startSimulator } from './support.ts';

test('a file with faults, or none at all, leaves everything as it is', async (t) => {
  const { url } = await startSimulator(t);
  const given = { upstreams: [{ name: 'gpu', url }], models: [{ name: 'm', upstreams: ['gpu'] }] };
  const { gateway, file, env, write, reload, signal } = await startReloading(t, given);
  const before = await gateway.admin('GET', '/models');

  await write({
    ...given,
    models: [{ name: 'm', upstreams: ['gpu-9'], fallbacks: ['n'] }],
    caps: { n: 0 },
  });
  const faults = [/gpu-9/, /fallbacks\[0\]: no model is named "n"/, /caps\.n: 0 is below 1/];
  const { status, body } = await reload();
  const error = body.error as Record<string, string>;
  assert.deepEqual([status, error.type, error.code], [400, 'invalid_request_error', 'invalid_configuration']);
  const [heading = '', ...lines] = error.message?.split('\n') ?? [];
  assert.equal(heading, 'The configuration has 3 faults, so nothing was changed.');
  assert.ok(lines.every((line) => line.startsWith(`${file}:`) && line.includes('Remedy:')));
  for (const fault of faults) assert.match(lines.join('\n'), fault);

  const line = await signal();
  assert.equal(line.msg, 'configuration has faults; nothing was changed');
  assert.deepEqual(line.faults, lines);

  const command = await sluice(['config', 'reload'], { env });
  assert.deepEqual([command.exitCode, command.stdout], [1, '']);
  for (const fault of faults) assert.match(command.stderr, fault);

  for (const text of ['models: [', 'just text', '\tx: 1']) {
    await write(text);
    assert.equal((await reload()).status, 400, text);
  }
  assert.deepEqual(await gateway.admin('GET', '/models'), before);
  assert.ok((await (await openStream(gateway, 2)).text).endsWith('data: [DONE]\n\n'));

  await write(given);
  const healed = await reload();
  assert.deepEqual([healed.status, healed.body.changes], [200, []]);
});
