/**
 * A shell into which somebody pastes the blocks of a README, one after the other. Every port that the README names
 * becomes a free one; nothing else of a command is changed.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../support/redis.ts';
import { allGone, family } from '../../up/support/start.ts';

const LIMIT_MS = 60_000;
/** More than a drain takes where no call is running. */
const END_LIMIT_MS = 20_000;
const MARK = '--- end of a block ---';
/** Followed by a port, in READMEs and configurations. */
const BEFORE_PORT = /(127\.0\.0\.1:|localhost:|--port )(\d{4,5})\b/g;
const READY = /^Ready in /m;

export interface Block {
  readonly commands: string;
  /** What the README says comes of it, `…` for what differs; undefined: it does not say. */
  readonly output: string | undefined;
}

export interface Terminal {
  /** Pastes a block and waits until its commands have ended, and what it starts is ready. @returns what came of it */
  paste(commands: string): Promise<string>;
  /** What a port of the README has become. */
  port(named: number): number;
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
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: process.env.HOME,
    PORT: String(ports.get('8080')),
    // Any free ones; commands find them in .sluice.
    ADMIN_PORT: '0',
    HOST: '127.0.0.1',
  };
  // Detached: a group of its own, as terminals have one.
  const shell = spawn('bash', ['--norc'], { cwd: folder, env, detached: true });
  let [out, err] = ['', ''];
  let hear = () => {};
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    hear();
  });
  shell.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const closed = new Promise<void>((resolve) => shell.once('exit', () => resolve()));
  // Also where the test process ends without a word.
  shell.stdin.write(`trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT\n`);

  const until = async (heard: () => boolean, what: string): Promise<void> => {
    const limit = pause(LIMIT_MS, 'late', { ref: false });
    while (!heard()) {
      const news = new Promise<void>((resolve) => {
        hear = resolve;
      });
      if (heard()) return;
      const first = await Promise.race([news, limit, closed.then(() => 'closed')]);
      if (first) throw new Error(`${first}: ${what}\n${out}\n${err}`);
    }
  };
  const here = (text: string) =>
    text.replace(BEFORE_PORT, (found, before: string, port: string) =>
      ports.has(port) ? `${before}${ports.get(port)}` : found,
    );
  return {
    here,
    port: (named) => ports.get(String(named)) ?? named,
    async paste(commands) {
      [out, err] = ['', ''];
      shell.stdin.write(`${here(commands)}\necho; echo '${MARK}'\n`);
      await until(() => out.includes(MARK), commands);
      if (/npm start/.test(commands)) await until(() => READY.test(out), commands);
      return out.slice(0, out.indexOf(MARK));
    },
    async close() {
      const all = family(shell.pid ?? 0);
      shell.stdin.end();
      await Promise.race([closed, pause(END_LIMIT_MS, undefined, { ref: false })]);
      for (const pid of all) signal(pid, 'SIGKILL');
      await allGone(all);
    },
  };
}

/** Pastes all blocks of a README, and holds what comes of each to what it says. */
export async function follow(terminal: Terminal, readme: string): Promise<void> {
  for (const { commands, output } of blocksOf(readme)) {
    const came = await terminal.paste(commands);
    if (output === undefined) continue;
    assert.match(squeezed(came), pattern(terminal.here(output)), `${commands}\n${came}`);
  }
}

export function readmeIn(folder: string, path: string): Promise<string> {
  return readFile(join(folder, path), 'utf8');
}

async function portsFor(text: string): Promise<Map<string, number>> {
  const named = new Set([...text.matchAll(BEFORE_PORT)].map(([, , port = '']) => port));
  return new Map(
    await Promise.all([...named, '8080'].map(async (port) => [port, await freePort()] as const)),
  );
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
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
