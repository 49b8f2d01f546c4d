/**
 * A private Redis for one test file: free port, its own folder, gone when the test process is gone, however
 * that ends (the server hangs on a guard that reads a pipe from here).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** Of the server itself. */
  readonly pid: number;
  /** Freezes it: connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

interface TestRedisOptions {
  /** Append-only file; default: nothing is kept. */
  readonly appendOnly?: boolean;
  /** To come back on a port that clients know already; default: a free one. */
  readonly port?: number;
  /** Further arguments, such as `--maxmemory` and `10mb`. */
  readonly extra?: readonly string[];
  /** Where its files lie, to come back with them; default: a new one, which goes with the server. */
  readonly folder?: string;
}

/**
 * Ends the server when the pipe from the test process closes, and outlives a signal to the whole group: a SIGHUP
 * would take the guard and leave the server, which ignores it.
 */
const guard = `
  trap '' HUP INT TERM
  "$@" 3<&- >/dev/null 2>&1 & server=$!
  echo "$server"
  ( cat <&3 >/dev/null; kill -CONT "$server"; kill -KILL "$server" ) 2>/dev/null &
  wait "$server"
`;

export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const port = options.port ?? (await freePort());
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'sluice-redis-')));
  const server = await startServer(port, [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
    ...['--appendonly', options.appendOnly ? 'yes' : 'no', '--daemonize', 'no', '--loglevel', 'warning'],
    ...(options.extra ?? []),
  ]);
  return {
    ...server,
    async stop() {
      await server.stop();
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** @param parameters of redis-server, which must let it answer on the port */
export async function startServer(port: number, parameters: readonly string[]): Promise<TestRedis> {
  const script = `exec 3<&0 </dev/null; set -- "$(command -v redis-server || command -v valkey-server)" "$@"; ${guard}`;
  const child = spawn('sh', ['-c', script, 'sh', ...parameters], { stdio: ['pipe', 'pipe', 'ignore'] });
  const exited = once(child, 'exit');
  const pid = await firstLine(child);
  await untilAnswering(port, child);
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid,
    pause: () => void process.kill(pid, 'SIGSTOP'),
    resume: () => void process.kill(pid, 'SIGCONT'),
    async stop() {
      child.ref();
      child.stdin?.end();
      await exited;
    },
  };
}

/** Asked of the system and given back, so another process may take it: good enough for a test. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function firstLine(child: ChildProcess): Promise<number> {
  const [chunk]: unknown[] = await once(child.stdout ?? child, 'data');
  child.stdout?.destroy();
  const pid = Number.parseInt(String(chunk), 10);
  if (!Number.isInteger(pid)) throw new Error('redis-server or valkey-server is not on PATH');
  return pid;
}

async function untilAnswering(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await pong(port))) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error('redis-server does not answer');
  }
}

async function pong(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.write('PING\r\n');
    const [reply]: unknown[] = await once(socket, 'data');
    return String(reply).startsWith('+PONG');
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return false;
  } finally {
    socket.destroy();
  }
}
