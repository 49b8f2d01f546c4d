/** The units of `deploy/systemd`: taken by systemd, above the drain in their stop times, and they start what they name. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { configSchema } from '../../src/config/schema.ts';
import { missingPrograms } from '../support/programs.ts';
import { freePorts, liveAndDrain, remove, root, scratch, writeEnvironment } from './support/live.ts';

const run = promisify(execFile);
const folder = join(root, 'deploy/systemd');
const templates = ['sluice-gateway@.service', 'sluice-worker@.service'] as const;
const NODE = '/opt/sluice/node_modules/.bin/node';

/** Settings of a unit; of repeated ones the last. */
async function settingsOf(file: string): Promise<Record<string, string>> {
  const lines = (await readFile(join(folder, file), 'utf8')).split('\n');
  const pairs = lines.filter((line) => /^[A-Za-z]+=/.test(line)).map((line) => line.split(/=(.*)/s));
  return Object.fromEntries(pairs.map(([name, value]) => [name, value ?? '']));
}

for (const file of templates) {
  test(`${file} stops later than the drain and its settlements, by SIGTERM to the process alone`, async () => {
    const { drain } = configSchema.parse({ secret: 'a-secret-for-tests-only-0123456789abcdef' });
    const settings = await settingsOf(file);
    assert.ok(Number(settings.TimeoutStopSec) > drain.limit_seconds + drain.quiet_seconds + 5);
    assert.deepEqual(
      [settings.KillSignal, settings.KillMode, settings.Restart],
      ['SIGTERM', 'mixed', 'always'],
    );
    assert.equal(settings.StartLimitIntervalSec, '0');
    assert.ok(Number(settings.LimitNOFILE) >= 65_536);
  });
}

test('systemd finds no fault, and little exposure', {
  skip: missingPrograms('systemd-analyze'),
}, async (t) => {
  const place = await scratch();
  t.after(() => remove(place));
  await copyFile(join(folder, 'sluice.target'), join(place, 'sluice.target'));
  const units = ['sluice-gateway@8080.service', 'sluice-worker@8082.service'];
  for (const [at, unit] of units.entries()) {
    const text = await readFile(join(folder, templates[at] ?? ''), 'utf8');
    await writeFile(join(place, unit), text.replaceAll(NODE, process.execPath));
  }
  const { stdout, stderr } = await run('systemd-analyze', ['verify', ...units, 'sluice.target'], {
    cwd: place,
  });
  assert.equal(`${stdout}${stderr}`, '');
  for (const unit of units) {
    const seen = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', `./${unit}`], {
      cwd: place,
    });
    t.diagnostic(/Overall exposure.*/.exec(seen.stdout)?.[0] ?? '');
  }
});

for (const file of templates) {
  test(`what ${file} runs starts, and ends by itself when it is told to`, async (t) => {
    const place = await scratch();
    t.after(() => remove(place));
    const [port, adminPort] = await freePorts();
    const settings = await settingsOf(file);
    const instance = file.includes('gateway') ? port : adminPort;
    const expand = (text = '') =>
      text.replaceAll('%i', String(instance)).replaceAll('$$', '$').replaceAll(NODE, process.execPath);
    const words =
      expand(settings.ExecStart)
        .match(/'[^']*'|\S+/g)
        ?.map((word) => word.replaceAll("'", '')) ?? [];
    const own = expand(settings.Environment)
      .split(' ')
      .map((pair) => pair.split('='));
    const shared = (await readFile(await writeEnvironment(place), 'utf8')).trim().split('\n');
    const env = Object.fromEntries([...own, ...shared.map((line) => line.split('='))]) as NodeJS.ProcessEnv;
    assert.equal(await liveAndDrain(words, adminPort, env), 0);
  });
}

test('rotated logs are opened anew by both kinds of process', async () => {
  const text = await readFile(join(folder, 'logrotate.conf'), 'utf8');
  assert.match(text, /systemctl kill --signal=HUP --kill-who=main 'sluice-gateway@\*' 'sluice-worker@\*'/);
  assert.match(text, /^\/var\/log\/sluice\/\*\.log \{/m);
});
