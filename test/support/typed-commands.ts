/** Commands that documents tell people to type, held against what the command line takes. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { runProgram } from '../../src/cli/program.ts';

/** What `src/main.ts` runs by itself. */
const ROLES = ['gateway', 'worker', 'simulator', 'backup', 'restore', 'up'];
const INLINE = /`sluice\s([a-z][^`]*)`/g;
const OF_A_LINE = /(?:node src\/main\.ts|npm run -s sluice --)\s([a-z].*)$/gm;
const ALIAS = /^sluice ([a-z].*)$/gm;
const BLOCK = /^```\w*\n(.*?)^```$/gms;
const PLACEHOLDER = /<[a-z ]+>/g;
/** Behind it stands what is the shell's, or prose. */
const END_OF_COMMAND = /[#|;<>&)"'`]/;

/** @returns each command once, without the program and what the shell does with it */
export function commandsIn(text: string): readonly string[] {
  const whole = text.replaceAll('\\\n', ' ').replaceAll(PLACEHOLDER, 'PLACEHOLDER');
  const blocks = [...whole.matchAll(BLOCK)].map(([, block = '']) => block).join('\n');
  const found = [...whole.matchAll(INLINE), ...whole.matchAll(OF_A_LINE), ...blocks.matchAll(ALIAS)];
  const commands = found.map(([, command = '']) => command.split(END_OF_COMMAND, 1)[0] ?? '');
  return [...new Set(commands.map((command) => command.trim().replaceAll(/\s+/g, ' ')))];
}

/** Fails where there is no such command, or it has no such option. */
export async function assertTaken(command: string): Promise<void> {
  const words = command.split(' ');
  if (ROLES.includes(words[0] ?? '')) return;
  const help = await helpOf(words);
  for (const option of words.filter((word) => word.startsWith('--'))) {
    assert.ok(help.includes(` ${option} `), `${command}: there is no ${option}`);
  }
}

/** Of the command that the first words name, be they one, two or three. */
async function helpOf(words: readonly string[]): Promise<string> {
  let count = 0;
  let help = '';
  do {
    count += 1;
    const command = words.slice(0, count);
    const output = new PassThrough();
    const terminal = { env: {}, stdin: process.stdin, stdout: output, stderr: output };
    const code = await runProgram([...command, '--help'], terminal as unknown as NodeJS.Process);
    help = String(output.read());
    const usage = `Usage: sluice ${command.join(' ')} `;
    assert.ok(code === 0 && help.startsWith(usage), `sluice ${words.join(' ')}: ${help.split('\n', 1)}`);
  } while (/^Usage: .*\[command\]/.test(help) && count < words.length);
  return help;
}
