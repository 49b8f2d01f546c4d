/** Whoever is called at night finds the entry of the alert, and in it only commands and metrics that there are. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { runProgram } from '../../src/cli/program.ts';
import { prometheusFolder, readRules } from './support/rules.ts';

const root = join(prometheusFolder, '../..');
const runbook = readFileSync(join(prometheusFolder, 'RUNBOOK.md'), 'utf8');
const entries = runbook
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ name: text.split('\n', 1)[0] ?? '', text }));
const alerts = readRules().filter(({ isAlert }) => isAlert);

test('each alert has an entry, and each entry an alert', () => {
  const sorted = (things: readonly { name: string }[]) => things.map(({ name }) => name).toSorted();
  assert.deepEqual(sorted(entries), sorted(alerts));
});

test('each entry says what it means, how urgent it is, what to look at and what to do', () => {
  for (const { name, text } of entries) {
    const severity = alerts.find((alert) => alert.name === name)?.labels.severity;
    const parts = [`**Means.** ${severity}. `, '**Look at.** ', '**Do.**'].map((part) => text.indexOf(part));
    assert.ok(!parts.includes(-1), name);
    assert.deepEqual(
      parts,
      parts.toSorted((one, other) => one - other),
      name,
    );
  }
});

test('what it tells one to type is what the command line takes', async () => {
  const commands = [...runbook.matchAll(/`sluice ([a-z][^`]*)`/g)].map(([, text = '']) => text);
  assert.ok(commands.length > 10);
  for (const command of new Set(commands)) {
    const words = command.split(/\s+/);
    const named = words.filter((word) => /^[a-z]/.test(word));
    const help = await helpOf(named.slice(0, 2));
    for (const option of words.filter((word) => word.startsWith('--'))) {
      assert.ok(help.includes(`${option} `), `${command}: there is no ${option}`);
    }
  }
});

test('the metrics that it names are those of METRICS.md', () => {
  const documented = readFileSync(join(root, 'METRICS.md'), 'utf8');
  const named = new Set(runbook.match(/\b(?:sluice|nodejs|process)_[a-z_]+/g));
  for (const name of named) assert.match(documented, new RegExp(`${name}\\b`), name);
});

test('its links lead somewhere', () => {
  const anchors = new Set(entries.map(({ name }) => `#${name.toLowerCase()}`));
  for (const [, target = ''] of runbook.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith('#')) assert.ok(anchors.has(target), target);
    else assert.ok(existsSync(join(prometheusFolder, target)), target);
  }
});

async function helpOf(command: readonly string[]): Promise<string> {
  const output = new PassThrough();
  const terminal = { env: {}, stdin: process.stdin, stdout: output, stderr: output };
  const code = await runProgram([...command, '--help'], terminal as unknown as NodeJS.Process);
  const text = String(output.read());
  const usage = `Usage: sluice ${command.join(' ')}`;
  assert.ok(code === 0 && text.startsWith(usage), `sluice ${command.join(' ')}: ${text.split('\n', 1)}`);
  return text;
}
