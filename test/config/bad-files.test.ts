import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { formatFault } from '../../src/config/fault.ts';
import { loadConfig } from '../../src/config/load.ts';

/** Each bad file is named after its fault; beside it stand the lines that an operator reads. */
const folder = new URL('fixtures/', import.meta.url);
const readFixture = (name: string) => readFileSync(new URL(name, folder), 'utf8');
const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

test('there are bad files to read', () => assert.ok(names.length >= 20));

for (const name of names) {
  test(`${name} is refused with place, path, problem and remedy of every fault, and without its secrets`, () => {
    const env = { SLUICE_CONFIG: name, SLUICE_SECRET: 'a secret of at least 32 characters' };
    const loaded = loadConfig({ env, readFile: readFixture });
    assert.ok(!loaded.ok);
    const lines = loaded.faults.map((fault) => `${formatFault(fault)}\n`).join('');
    assert.equal(lines, readFixture(name.replace(/yaml$/, 'txt')));
    assert.ok(!lines.includes('hunter2'));
  });
}
