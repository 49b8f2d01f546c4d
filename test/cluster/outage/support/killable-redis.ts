/** A Redis that dies on the spot, and comes back on the same port with what the test leaves it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startRedis, type TestRedis } from '../../../support/redis.ts';

export interface KillableRedis extends TestRedis {
  kill(): Promise<void>;
  /** With its files, or without any. */
  restart(files: 'with' | 'without'): Promise<void>;
  call(...command: readonly [string, ...string[]]): Promise<unknown>;
}

interface KillableOptions {
  /** Else it has what was saved last. */
  readonly appendOnly: boolean;
}

export async function startKillableRedis({ appendOnly }: KillableOptions): Promise<KillableRedis> {
  const folders: string[] = [];
  const newFolder = async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-killable-'));
    folders.push(folder);
    return folder;
  };
  // Written before each reply; that the disk has it does not matter where only the process dies.
  const start = (folder: string, port?: number) =>
    startRedis({ appendOnly, folder, extra: ['--appendfsync', 'no'], ...(port !== undefined && { port }) });
  let folder = await newFolder();
  let server = await start(folder);
  const { port, url } = server;
  return {
    url,
    port,
    get pid() {
      return server.pid;
    },
    pause: () => server.pause(),
    resume: () => server.resume(),
    async kill() {
      process.kill(server.pid, 'SIGKILL');
      await server.stop();
    },
    async restart(files) {
      if (files === 'without') folder = await newFolder();
      server = await start(folder, port);
    },
    call: (...command) => ask(port, ...command),
    async stop() {
      await server.stop();
      for (const one of folders) await rm(one, { recursive: true, force: true });
    },
  };
}

/** One command on a connection of its own. */
export async function ask(
  port: number,
  ...[name, ...parameters]: readonly [string, ...string[]]
): Promise<unknown> {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await client.call(name, ...parameters);
  } finally {
    client.disconnect();
  }
}
