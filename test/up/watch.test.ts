import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { newFolder, start, stubUp } from './support/start.ts';

test('while developing, a changed configuration starts the gateways again, and only them', async (context) => {
  const folder = newFolder(context);
  const config = join(folder.home, '..', 'sluice.yaml');
  writeFileSync(config, 'log: { level: info }\n');
  const started = start(context, folder, { SLUICE_CONFIG: config }, [stubUp, '--watch']);
  await started.line(/^Ready/);

  writeFileSync(`${config}.new`, 'log: { level: debug }\n');
  renameSync(`${config}.new`, config);
  await started.line(/^Source or configuration changed/);
  await started.line(/^gateway 1 is ready again$/);
  await started.line(/^gateway 2 is ready again$/);
  assert.equal(folder.notes().filter((note) => /^simulator \d+ started$/.test(note)).length, 1);
});
