/**
 * The processes of a run: each is pinned to a core, started and ended here by its id, and its CPU time and memory
 * are read from /proc.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** The proxy under test has a core for itself; everything that feeds it shares the other one. */
export const PROXY_CORE = 0;
export const FEEDING_CORE = availableParallelism() > 1 ? 1 : 0;

const READY_TIMEOUT_MS = 20_000;
const END_TIMEOUT_MS = 15_000;

const running = new Set<ChildProcess>();

interface PinnedProcess {
  readonly core: number;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
  /** With a channel for messages (Node only). */
  readonly channel?: boolean;
}

/** `taskset` replaces itself by the command, so the id is the command's own and the channel reaches it. */
export function startPinned(start: PinnedProcess): ChildProcess {
  const child = spawn('taskset', ['-c', String(start.core), start.command, ...start.arguments], {
    cwd: start.folder,
    env: { ...process.env, ...start.environment },
    stdio: start.channel ? ['ignore', 'ignore', 'inherit', 'ipc'] : ['ignore', 'ignore', 'inherit'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Starts a script of this folder and waits for its first message, which says that it is ready. */
export async function startScript(
  core: number,
  file: string,
  ...scriptArguments: string[]
): Promise<{ child: ChildProcess; ready: unknown }> {
  const child = startPinned({
    core,
    command: process.execPath,
    arguments: [new URL(file, import.meta.url).pathname, ...scriptArguments],
    channel: true,
  });
  return { child, ready: await nextMessage(child) };
}

/** Rejects when the process ends first, or stays silent for `timeoutMs`. */
export async function nextMessage(child: ChildProcess, timeoutMs = READY_TIMEOUT_MS): Promise<unknown> {
  const name = child.spawnargs.join(' ');
  const settled = new AbortController();
  const { signal } = settled;
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([message]) => message),
      once(child, 'exit', { signal }).then(([code, cause]) => {
        throw new Error(`${name} ended with ${code ?? cause}`);
      }),
      delay(timeoutMs, undefined, { signal }).then(() => {
        throw new Error(`${name} said nothing for ${timeoutMs} ms`);
      }),
    ]);
  } finally {
    settled.abort();
  }
}

export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
  await ended;
  clearTimeout(force);
}

export async function endAllProcesses(): Promise<void> {
  await Promise.all([...running].map(endProcess));
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Waits until something accepts connections there: for programs that do not tell when they are ready. */
export async function portAnswers(port: number, child: ChildProcess): Promise<void> {
  const giveUpAt = Date.now() + READY_TIMEOUT_MS;
  while (Date.now() < giveUpAt && child.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await delay(20);
    } finally {
      socket.destroy();
    }
  }
  throw new Error(`${child.spawnargs.join(' ')} does not answer on port ${port}`);
}

/** The process and its direct children (nginx: the master and its worker). */
export function withChildren(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return [pid, ...children.split(' ').filter(Boolean).map(Number)];
}

const TICKS_PER_SECOND = 100;

/** User and system time of all threads, in seconds. Linux counts in nanoseconds and shows hundredths. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold spaces; user and system time are fields 14 and 15 of the whole line.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

export function residentBytes(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    kilobytes += Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  }
  return kilobytes * 1024;
}

/** What all processes used together since the machine started, and what other guests of its host took from it. */
export function machineCpuSeconds(): number {
  // user, nice, system, idle, iowait, irq, softirq, steal; what follows is contained in these.
  const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] ?? '';
  const ticks = line.split(/ +/).slice(1, 9).map(Number);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return (ticks.reduce((sum, tick) => sum + tick, 0) - idle) / TICKS_PER_SECOND;
}
