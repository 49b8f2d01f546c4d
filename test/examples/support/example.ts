/** The example configurations as they stand, at other addresses, and what their READMEs promise. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ADMIN_TOKEN, type GatewayOptions, startGateway, type TestGateway } from '../../support/gateway.ts';

export const exampleNames = ['text-model', 'vision-model', 'plain-model'] as const;
export type ExampleName = (typeof exampleNames)[number];
/** What stands in the file, and what stands there in its place; nothing else of the file changes. */
export type Replacements = Readonly<Record<string, string>>;

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const runs = promisify(execFile);
const COMMANDS_LIMIT_MS = 30_000;
const MARK = '--- end of a command ---';

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

interface Step {
  readonly command: string;
  /** What comes of it, `…` for what differs; undefined: the README does not say. */
  readonly output: string | undefined;
}

/** All blocks of commands but those that start something, with the block behind each. */
function stepsOf(readme: string): Step[] {
  const blocks = [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, kind, text = '']) => ({
    kind,
    text,
  }));
  return blocks.flatMap(({ kind, text }, index) => {
    if (kind !== 'sh' || /npm start| simulator /.test(text)) return [];
    const next = blocks[index + 1];
    return [{ command: text, output: next?.kind === '' ? next.text : undefined }];
  });
}

/** Runs the commands of the README, in one shell, against this gateway, and holds what comes back to what it says. */
export async function followReadme(name: ExampleName, gateway: TestGateway, key = ''): Promise<void> {
  const steps = stepsOf(readFileSync(pathOf(name, 'README.md'), 'utf8'));
  assert.ok(steps.filter(({ command }) => command.startsWith('curl ')).length >= 3, 'three calls');
  const script = steps.map(({ command }) => `${command}echo; echo '${MARK}'\n`).join('');
  const { stdout, stderr } = await runs(
    'bash',
    ['-c', script.replaceAll('http://127.0.0.1:8080', gateway.url)],
    {
      cwd: repository,
      timeout: COMMANDS_LIMIT_MS,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        KEY: key,
        SLUICE_ADMIN_URL: gateway.adminUrl,
        SLUICE_ADMIN_TOKEN: ADMIN_TOKEN,
      },
    },
  );
  const outputs = stdout.split(`${MARK}\n`);
  for (const [index, { command, output }] of steps.entries()) {
    if (output === undefined) continue;
    const came = `${command}\n${outputs[index]}\n${stderr}`;
    assert.match(squeezed(outputs[index] ?? ''), pattern(output), came);
  }
}

function squeezed(text: string): string {
  return text.replace(/\s+/g, '');
}

function pattern(expected: string): RegExp {
  const parts = squeezed(expected).split('…');
  return new RegExp(`^${parts.map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('.*')}$`);
}
