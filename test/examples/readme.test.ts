/** Who pastes what the READMEs say, block by block, gets what they say, from a clone to the end. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { missingPrograms } from '../support/programs.ts';
import { makeClone } from './support/clone.ts';
import { exampleNames } from './support/example.ts';
import { blocksOf, follow, openTerminal } from './support/terminal.ts';

/** From the clone to the cost of a first call, as the README promises; the packages are there already. */
const FIRST_COST_LIMIT_MS = 5 * 60_000;
const options = { timeout: 120_000, skip: missingPrograms('bash', 'curl', 'openssl') };

/** @param configPath read by what the README starts; its ports become those of the terminal */
async function cloneAndTerminal(t: TestContext, readme: string, configPath?: string) {
  const clone = await makeClone();
  t.after(() => clone.remove());
  const file = configPath === undefined ? undefined : join(clone.folder, configPath);
  const config = file === undefined ? '' : await readFile(file, 'utf8');
  const terminal = await openTerminal(clone.folder, [readme, config]);
  t.after(() => terminal.close());
  if (configPath) await clone.edit(configPath, { [config]: terminal.here(config) });
  return { clone, terminal };
}

test(
  'a newcomer has a tenant, a key, a first call and its cost from the README alone',
  options,
  async (t) => {
    const text = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    const start = /^## Your first tenant.*?(?=^## )/ms.exec(text)?.[0] ?? '';
    assert.ok(blocksOf(start).length >= 4, 'the blocks of the first tenant');
    const begunAtMs = performance.now();
    const { terminal } = await cloneAndTerminal(t, start);
    await follow(terminal, start);
    const tookMs = performance.now() - begunAtMs;
    t.diagnostic(`from the clone to the cost of a first call: ${(tookMs / 1_000).toFixed(1)} s`);
    assert.ok(tookMs < FIRST_COST_LIMIT_MS);
  },
);

for (const name of exampleNames) {
  test(`what the README of ${name} says is what comes`, options, async (t) => {
    const folder = `deploy/examples/${name}`;
    const readme = await readFile(new URL(`../../${folder}/README.md`, import.meta.url), 'utf8');
    const { terminal } = await cloneAndTerminal(t, readme, `${folder}/sluice.yaml`);
    await follow(terminal, readme);
  });
}
