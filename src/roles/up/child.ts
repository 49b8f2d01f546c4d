/** One life of a child process: from its start to its readiness to its end. */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Ready } from '../lifecycle.ts';

export interface ChildSpec {
  /** As people read it: `gateway 1`. */
  readonly name: string;
  /** Script that Node runs. */
  readonly script: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Takes what it writes to stdout and stderr. */
  readonly logFile: string;
  readonly readyTimeoutMs: number;
  /** From being told to end until it is killed. */
  readonly endTimeoutMs: number;
  /** How it is told to end. The guard of Redis takes no signals, so that those to a whole group pass it by. */
  readonly endsBy: 'SIGTERM' | 'disconnect';
}

export interface Life {
  /** undefined: it ended, or had to be killed, before it was ready. */
  readonly ready: Promise<Ready | undefined>;
  /** How it ended, in words. */
  readonly ended: Promise<string>;
  /** What it has written lately. */
  lastLines(): string;
  /** Tells it to end, kills it when it takes too long. */
  end(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

const leash = new URL('leash.ts', import.meta.url).href;
const LAST_LINES_BYTES = 4_096;
const LAST_LINES = 10;

export function startChild(spec: ChildSpec): Life {
  const log = openSync(spec.logFile, 'a+', 0o600);
  const logStart = fstatSync(log).size;
  // In a session of its own, so that Ctrl-C in a terminal reaches the parent alone and it can end all in order.
  // None outlives the parent: the IPC channel closes with it, and every role ends on that.
  const child = fork(spec.script, spec.args, {
    env: spec.env,
    execArgv: ['--import', leash],
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });

  let notReady: string | undefined;
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(notReady ?? signal ?? `exit code ${code}`));
  });

  const ready = new Promise<Ready | undefined>((resolve) => {
    const timer = setTimeout(() => {
      notReady = `not ready within ${spec.readyTimeoutMs / 1_000} s`;
      child.kill('SIGKILL');
    }, spec.readyTimeoutMs);
    child.on('message', (message) => {
      if (!isReady(message)) return;
      clearTimeout(timer);
      resolve(message);
    });
    ended.then(() => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });

  let lastLines: string | undefined;
  ended.then(() => {
    lastLines = readLastLines(log, logStart);
    closeSync(log);
  });

  return {
    ready,
    ended,
    lastLines: () => lastLines ?? readLastLines(log, logStart),
    end: () => endChild(child, ended, spec),
    signal: (signal) => child.kill(signal),
  };
}

async function endChild(child: ChildProcess, ended: Promise<string>, spec: ChildSpec): Promise<void> {
  const timer = setTimeout(() => child.kill('SIGKILL'), spec.endTimeoutMs);
  if (spec.endsBy === 'SIGTERM') child.kill('SIGTERM');
  else if (child.connected) child.disconnect();
  await ended;
  clearTimeout(timer);
}

function isReady(message: unknown): message is Ready {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready';
}

function readLastLines(log: number, logStart: number): string {
  const size = fstatSync(log).size;
  const from = Math.max(logStart, size - LAST_LINES_BYTES);
  const bytes = Buffer.alloc(Math.max(0, size - from));
  readSync(log, bytes, 0, bytes.length, from);
  return bytes.toString('utf8').trimEnd().split('\n').slice(-LAST_LINES).join('\n');
}
