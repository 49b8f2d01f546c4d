/** The command line in this process, as a program that reads it sees it: no terminal, so no colours and no bars. */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { runProgram } from '../../src/cli/program.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import type { Finished } from './run.ts';

export async function runHere(
  parameters: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Finished> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const texts = Promise.all([text(stdout), text(stderr)]);
  const terminal = { env, stdin: process.stdin, stdout, stderr } as unknown as Terminal;
  const exitCode = await runProgram(parameters, terminal);
  stdout.end();
  stderr.end();
  const [written, noted] = await texts;
  return { exitCode, stdout: written, stderr: noted };
}
