/** Runs the command line as people do: as a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a folder in which `npm start` has left nothing. */
  readonly cwd?: string;
  readonly stdin?: string;
}

export async function sluice(
  parameters: readonly string[],
  surroundings: Surroundings = {},
): Promise<Finished> {
  const { env = {}, cwd = tmpdir(), stdin = '' } = surroundings;
  const child = spawn(process.execPath, [main, ...parameters], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    timeout: 30_000,
  });
  child.stdin.end(stdin);
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { exitCode, stdout, stderr };
}
