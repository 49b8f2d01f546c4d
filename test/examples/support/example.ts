/** The example configurations as they stand, at other addresses. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { type GatewayOptions, startGateway, type TestGateway } from '../../support/gateway.ts';

export const exampleNames = ['text-model', 'vision-model', 'plain-model'] as const;
export type ExampleName = (typeof exampleNames)[number];
/** What stands in the file, and what stands there in its place; nothing else of the file changes. */
export type Replacements = Readonly<Record<string, string>>;

const repository = fileURLToPath(new URL('../../..', import.meta.url));

export function pathOf(name: ExampleName, file: 'sluice.yaml' | 'README.md'): string {
  return join(repository, 'deploy/examples', name, file);
}

export function exampleText(name: ExampleName, replacements: Replacements = {}): string {
  let text = readFileSync(pathOf(name, 'sluice.yaml'), 'utf8');
  for (const [from, to] of Object.entries(replacements)) {
    assert.ok(text.includes(from), `${name} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** For what takes no file. */
export function exampleConfig(name: ExampleName, replacements: Replacements): Omit<ConfigInput, 'secret'> {
  return parse(exampleText(name, replacements));
}

/** A gateway that was started with the file of this example. */
export async function startExample(
  name: ExampleName,
  replacements: Replacements,
  options: Omit<GatewayOptions, 'config'> = {},
): Promise<TestGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-example-'));
  const file = join(folder, 'sluice.yaml');
  await writeFile(file, exampleText(name, replacements));
  const gateway = await startGateway({ ...options, env: { ...options.env, SLUICE_CONFIG: file } });
  return {
    ...gateway,
    async stop() {
      await gateway.stop();
      await rm(folder, { recursive: true });
    },
  };
}
