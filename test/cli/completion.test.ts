/** The shell itself completes what the program has: its commands, their flags, and what these may be. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { createProgram } from '../../src/cli/program.ts';
import { missingPrograms, programPath } from '../support/programs.ts';
import { pipes, sluiceHere } from './pipes.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
const run = promisify(execFile);
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-completion-'));
  for (const shell of shells) {
    const { exitCode, stdout } = await sluiceHere(['completion', shell], {});
    assert.equal(exitCode, 0);
    await writeFile(join(folder, shell), stdout);
  }
  await writeFile(join(folder, 'my keys.ndjson'), '');
});
after(() => rm(folder, { recursive: true }));

/** What bash offers for each of these lines, the last word of which is being written. */
async function offered(lines: readonly (readonly string[])[]): Promise<string[][]> {
  const steps = lines.map((words) => {
    const quoted = ['sluice', ...words].map((word) => `'${word}'`).join(' ');
    return `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; COMPREPLY=(); _sluice; printf '%s\\n' "\${COMPREPLY[@]}" --end--`;
  });
  // As a user's bashrc has it: unset variables are no reason to fail, and complete must know the function.
  const script = `. ./bash; complete -p sluice >/dev/null || exit 9\n${steps.join('\n')}`;
  const { stdout, stderr } = await run('bash', ['--norc', '-c', script], { cwd: folder });
  assert.equal(stderr, '');
  return stdout
    .split('--end--\n')
    .slice(0, -1)
    .map((answer) => answer.split('\n').filter(Boolean));
}

const skipBash = missingPrograms('bash');

test('bash offers each command and flag of the program at its place', { skip: skipBash }, async () => {
  const places: { path: string[]; wanted: string[] }[] = [];
  const visit = (command: Command, path: string[]) => {
    const flags = command.options.flatMap(({ long }) => long ?? []);
    places.push({ path, wanted: [...command.commands.map((one) => one.name()), ...flags, '--help'] });
    for (const one of command.commands) visit(one, [...path, one.name()]);
  };
  visit(
    createProgram(pipes({}), () => {}),
    [],
  );
  assert.ok(places.length > 60);
  // With a word begun, because files may be offered for an empty one.
  const lines = places.flatMap(({ path, wanted }) => wanted.map((word) => [...path, word.slice(0, 3)]));
  const answers = await offered(lines);
  const wanted = places.flatMap((place) => place.wanted);
  assert.equal(answers.length, wanted.length);
  for (const [index, word] of wanted.entries()) {
    assert.ok(answers[index]?.includes(word), `${lines[index]?.join(' ')} does not offer ${word}`);
  }
});

test('bash offers roles, values of flags, files where they belong, and nothing where a name of yours stands', {
  skip: skipBash,
}, async () => {
  const answers = await offered([
    ['gat'],
    ['keys', 'create', '--require-signature', ''],
    ['usage', 'show', '--tenant', 'acme', '--by', 'm'],
    ['keys', 'import', 'my'],
    ['keys', 'import', '--pre'],
    ['usage', 'export', '--output', 'my'],
    ['restore', 'my'],
    ['completion', 'f'],
    ['keys', 'create', '--tenant', ''],
    ['keys', 'create', '--name', 'list', '--ten'],
  ]);
  assert.deepEqual(answers, [
    ['gateway'],
    ['on', 'off'],
    ['month', 'model'],
    ['my keys.ndjson'],
    ['--prefix'],
    ['my keys.ndjson'],
    ['my keys.ndjson'],
    ['fish'],
    [],
    ['--tenant'],
  ]);
});

/** No test machine needs more shells than the one that everybody has. */
const absent = (shell: string) => programPath(shell) === undefined && `${shell} is not installed`;

test('zsh reads its script', { skip: absent('zsh') }, async () => {
  const script =
    'autoload -Uz compinit; compinit -D -u; . ./zsh; [[ $_comps[sluice] == _sluice ]] && whence -w _sluice';
  const { stdout, stderr } = await run('zsh', ['-f', '-c', script], { cwd: folder });
  assert.deepEqual([stdout, stderr], ['_sluice: function\n', '']);
});

test('fish offers commands with what they do', { skip: absent('fish') }, async () => {
  const ask = (line: string) =>
    run('fish', ['--no-config', '-c', `source ./fish; complete -C '${line}'`], {
      cwd: folder,
      env: { ...process.env, HOME: folder },
    });
  const [commands, flags, values] = await Promise.all([
    ask('sluice keys '),
    ask('sluice keys list --un'),
    ask('sluice keys create --require-signature '),
  ]);
  assert.match(commands.stdout, /^rotate\tgive a key a new secret/m);
  assert.match(flags.stdout, /^--unused-for\t/m);
  assert.match(values.stdout, /^off\b/m);
  assert.equal(commands.stderr + flags.stderr, '');
});

test('another shell ends with 2 and the names of those that there are', async () => {
  const { exitCode, stderr } = await sluiceHere(['completion', 'tcsh'], {});
  assert.equal(exitCode, 2);
  assert.match(stderr, /bash, zsh, fish/);
});
