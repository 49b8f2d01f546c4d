/** Whoever is called at night finds the entry of the alert, and in it only commands, panels and metrics that there are. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dashboards } from '../../grafana/build.ts';
import { assertTaken, commandsIn } from '../support/typed-commands.ts';
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
  const commands = commandsIn(runbook);
  assert.ok(commands.length > 20);
  for (const command of commands) await assertTaken(command);
});

test('the panels that it names are there', () => {
  const places = dashboards.flatMap(({ title, rows }) =>
    rows.flatMap(({ panels }) => panels).map(({ id }) => `${title} ${id}`),
  );
  const named = [
    ...runbook.matchAll(/\*([A-Z][a-z ]+)\*((?:(?:,| and|, and)?\s\d+\b(?!\s%)(?: \([^)]*\))?)+)/g),
  ];
  assert.ok(named.length > 30);
  for (const [, dashboard, numbers = ''] of named) {
    for (const [number] of numbers.matchAll(/\d+/g)) {
      const place = `${dashboard?.replaceAll('\n', ' ')} ${number}`;
      assert.ok(places.includes(place), `there is no panel ${place}`);
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
