/**
 * A shell into which somebody pastes the blocks of a README, one after the other. Every port that the README names
 * becomes a free one; nothing else of a command is changed.
 */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../support/redis.ts';
import { allGone, family } from '../../up/support/start.ts';

const LIMIT_MS = 60_000;
/** More than a drain takes where no call is running. */
const END_LIMIT_MS = 20_000;
const MARK = '--- end of a block ---';
const FAILED = '--- a command has failed: ';
/** Followed by a port, in READMEs and configurations. */
const BEFORE_PORT = /(127\.0\.0\.1:|localhost:|--port )(\d{4,5})\b/g;
const READY = /^Ready in /m;

export interface Block {
  readonly commands: string;
  /** What the README says comes of it, `…` for what differs; undefined: it does not say. */
  readonly output: string | undefined;
}

export interface Terminal {
  /**
   * Pastes a block and waits until its commands have ended, and what it starts is ready.
   * @returns what came of it. @throws where a command fails
   */
  paste(commands: string): Promise<string>;
  /** A text with the ports that are used here. */
  here(text: string): string;
  close(): Promise<void>;
}

/** The blocks of a README that are marked as commands for a shell, each with the plain block behind it. */
export function blocksOf(readme: string): Block[] {
  const blocks = [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)];
  return blocks.flatMap(([, kind, commands = ''], index) => {
    if (kind !== 'sh') return [];
    const next = blocks[index + 1];
    return [{ commands, output: next?.[1] === '' ? next[2] : undefined }];
  });
}

/** @param texts name the ports: of the README and of the files that its commands read */
export async function openTerminal(folder: string, texts: readonly string[]): Promise<Terminal> {
  const ports = await portsFor(texts.join('\n'));
  const shell = new Shell(folder, {
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: process.env.HOME,
    PORT: String(ports.get('8080')),
    // Any free ones; commands find them in .sluice.
    ADMIN_PORT: '0',
    HOST: '127.0.0.1',
  });
  const here = (text: string) =>
    text.replace(BEFORE_PORT, (found, before: string, port: string) =>
      ports.has(port) ? `${before}${ports.get(port)}` : found,
    );
  return {
    here,
    async paste(commands) {
      const begun = shell.say(`${here(commands)}\necho; echo '${MARK}'\n`);
      const heard = () => shell.out.slice(begun);
      await shell.until(() => heard().includes(MARK), commands);
      if (/npm start/.test(commands)) await shell.until(() => READY.test(heard()), commands);
      const came = heard().slice(0, heard().indexOf(MARK));
      if (came.includes(FAILED)) throw new Error(`${commands}\n${came}\n${shell.err}`);
      return came;
    },
    close: () => shell.close(),
  };
}

/** It ends what it has started when its input ends, also where the test process is gone without a word. */
class Shell {
  out = '';
  err = '';
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<'ended'>;
  #hear = () => {};

  constructor(folder: string, env: NodeJS.ProcessEnv) {
    // Detached: a group of its own, as terminals have one.
    this.#process = spawn('bash', ['--norc'], { cwd: folder, env, detached: true });
    this.#ended = new Promise((resolve) => this.#process.once('exit', () => resolve('ended')));
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
      this.#hear();
    });
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    this.say(`trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT\n`);
    this.say(`trap 'echo "${FAILED}$BASH_COMMAND"' ERR\n`);
  }

  /** @returns how much has been heard before */
  say(text: string): number {
    this.#process.stdin.write(text);
    return this.out.length;
  }

  async until(heard: () => boolean, what: string): Promise<void> {
    const limit = pause(LIMIT_MS, 'late' as const, { ref: false });
    while (!heard()) {
      const news = new Promise<void>((resolve) => {
        this.#hear = resolve;
      });
      const cause = await Promise.race([news, limit, this.#ended]);
      if (cause) throw new Error(`${cause}: ${what}\n${this.out}\n${this.err}`);
    }
  }

  async close(): Promise<void> {
    const all = family(this.#process.pid ?? 0);
    this.#process.stdin.end();
    await Promise.race([this.#ended, pause(END_LIMIT_MS, undefined, { ref: false })]);
    for (const pid of all) kill(pid);
    await allGone(all);
  }
}

/** Pastes all blocks of a README, and holds what comes of each to what it says. */
export async function follow(terminal: Terminal, readme: string): Promise<void> {
  for (const { commands, output } of blocksOf(readme)) {
    const came = await terminal.paste(commands);
    if (output === undefined) continue;
    assert.match(squeezed(came), pattern(terminal.here(output)), `${commands}\n${came}`);
  }
}

async function portsFor(text: string): Promise<Map<string, number>> {
  const named = new Set([...text.matchAll(BEFORE_PORT)].map(([, , port = '']) => port));
  return new Map(
    await Promise.all([...named, '8080'].map(async (port) => [port, await freePort()] as const)),
  );
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function squeezed(text: string): string {
  return text.replace(/\s+/g, '');
}

function pattern(expected: string): RegExp {
  const parts = squeezed(expected).split('…');
  return new RegExp(`^${parts.map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('.*')}$`);
}
