/** `deploy/supervisor`: stop times above the drain, logs that end somewhere, and commands that start what they name. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { freePorts, liveAndDrain, remove, root, scratch, writeEnvironment } from './support/live.ts';

const text = await readFile(join(root, 'deploy/supervisor/sluice.conf'), 'utf8');
const sections = new Map<string, Record<string, string>>();
for (const part of text.split(/^(?=\[)/m).slice(1)) {
  const [head = '', ...lines] = part.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
  sections.set(head.slice(1, -1), Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2))));
}
const programs = [...sections].filter(([name]) => name.startsWith('program:'));

test('the group names every program', () => {
  const names = programs.map(([name]) => name.slice('program:'.length));
  assert.deepEqual(sections.get('group:sluice')?.programs?.split(','), names);
  assert.deepEqual(names, ['sluice-gateway', 'sluice-worker']);
});

for (const [name, settings] of programs) {
  test(`${name} stops later than the drain and its settlements, comes back, and keeps its logs bounded`, () => {
    const { drain } = configSchema.parse({ secret: 'a-secret-for-tests-only-0123456789abcdef' });
    assert.ok(Number(settings.stopwaitsecs) > drain.limit_seconds + drain.quiet_seconds + 5);
    const { stopsignal, autostart, autorestart, killasgroup } = settings;
    assert.deepEqual([stopsignal, autostart, autorestart, killasgroup], ['TERM', 'true', 'true', 'true']);
    // What stands behind a blank and a semicolon is a comment to supervisor, in quotes too.
    for (const value of Object.values(settings)) assert.doesNotMatch(value, /\s;/);
    for (const stream of ['stdout', 'stderr']) {
      assert.match(settings[`${stream}_logfile`] ?? '', /^\/var\/log\/sluice\//);
      assert.match(settings[`${stream}_logfile_maxbytes`] ?? '', /^\d+MB$/);
      assert.ok(Number(settings[`${stream}_logfile_backups`]) > 0);
    }
  });

  test(`what ${name} runs starts, and ends by itself when it is told to`, async (t) => {
    const place = await scratch();
    t.after(() => remove(place));
    const environment = await writeEnvironment(place);
    const [port, adminPort] = await freePorts();
    const command = (settings.command ?? '')
      .replaceAll('80%(process_num)d0', String(port))
      .replaceAll(/80%\(process_num\)d1|8082/g, String(adminPort))
      .replaceAll('/etc/sluice/sluice.env', environment)
      .replaceAll('node_modules/.bin/node', process.execPath);
    const words = command.match(/"[^"]*"|\S+/g)?.map((word) => word.replaceAll('"', '')) ?? [];
    assert.equal(await liveAndDrain(words, adminPort), 0);
  });
}
