/** Starts `up` as a process of its own, with a folder of its own and free ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const stubUp = fileURLToPath(new URL('stub-up.ts', import.meta.url));
/** The command that `npm start` runs. */
export const realUp = [fileURLToPath(new URL('../../../src/main.ts', import.meta.url)), 'up'];
const LIMIT_MS = 60_000;

export interface Folder {
  readonly home: string;
  readonly notesFile: string;
  /** What the stubs have written down. */
  notes(): string[];
}

export function newFolder(context: TestContext): Folder {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-up-'));
  context.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const notesFile = join(folder, 'notes');
  return {
    home: join(folder, '.sluice'),
    notesFile,
    notes: () => readFileSync(notesFile, 'utf8').trimEnd().split('\n'),
  };
}

export interface Start {
  readonly pid: number;
  readonly process: ChildProcess;
  output(): string;
  /** Waits for a line and returns it; fails when the process ends first. */
  line(pattern: RegExp): Promise<string>;
  /** Waits for the end. */
  ended(): Promise<{ code: number | null; output: string }>;
}

export function start(
  context: TestContext,
  folder: Folder,
  env: Record<string, string> = {},
  command = [stubUp],
): Start {
  const child = spawn(process.execPath, command, {
    env: {
      PATH: process.env.PATH ?? '',
      SLUICE_HOME: folder.home,
      STUB_NOTES: folder.notesFile,
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: '0',
      ...env,
    },
    // A group of its own, as a shell gives one to a command.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let news = Promise.withResolvers<void>();
  const tell = () => {
    news.resolve();
    news = Promise.withResolvers();
  };
  const take = (text: string) => {
    output += text;
    tell();
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', take);
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }));
  let closed = false;
  ended.then(() => {
    closed = true;
    tell();
  });
  const pid = child.pid ?? 0;
  context.after(async () => {
    // Its children end with it.
    const left = family(pid);
    child.kill('SIGKILL');
    await allGone(left);
  });

  const line = async (pattern: RegExp): Promise<string> => {
    const limit = pause(LIMIT_MS, 'late', { ref: false });
    for (;;) {
      const found = output.split('\n').find((candidate) => pattern.test(candidate));
      if (found !== undefined) return found;
      if (closed) throw new Error(`it ended without ${pattern}:\n${output}`);
      if ((await Promise.race([news.promise, limit])) === 'late')
        throw new Error(`no ${pattern}:\n${output}`);
    }
  };
  const endedInTime = async () => {
    const limit = pause(LIMIT_MS, undefined, { ref: false });
    const result = await Promise.race([ended, limit]);
    if (!result) throw new Error(`it does not end:\n${output}`);
    return result;
  };
  return { pid, process: child, output: () => output, line, ended: endedInTime };
}

/** A process and all that descend from it. */
export function family(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return [pid, ...children.flatMap((child) => family(Number(child)))];
  } catch {
    return [];
  }
}

export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Waits until none of them is left and returns how long that took; there is no event for others' children. */
export async function allGone(pids: readonly number[]): Promise<number> {
  const begunAtMs = performance.now();
  while (pids.some(isAlive)) {
    if (performance.now() - begunAtMs > LIMIT_MS) throw new Error(`left: ${pids.filter(isAlive)}`);
    await pause(20);
  }
  return performance.now() - begunAtMs;
}

/** The key that a start printed. */
export async function printedKey(started: Start): Promise<string> {
  return (await started.line(/^API key: /)).slice('API key: '.length);
}
