/** Runs a command line of a deployment file, as its supervisor would, until the process answers. */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../../support/gateway.ts';

export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** The environment that the files read from /etc/sluice/sluice.env. Redis is not there, without which all start. */
export async function writeEnvironment(folder: string): Promise<string> {
  const path = join(folder, 'sluice.env');
  const lines = {
    HOST: '127.0.0.1',
    SLUICE_SECRET: 'a-secret-for-tests-only-0123456789abcdef',
    REDIS_URL: 'redis://127.0.0.1:1',
    LOG_LEVEL: 'silent',
  };
  const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(path, text.join(''));
  return path;
}

export function scratch(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'sluice-deploy-'));
}

/** Two neighbours, the second for the admin listener; below the ports that connections get by themselves. */
export async function freePorts(): Promise<[port: number, adminPort: number]> {
  for (;;) {
    const port = randomInt(10_000, 30_000);
    if ((await isFree(port)) && (await isFree(port + 1))) return [port, port + 1];
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  const isListening = await once(server, 'listening').then(
    () => true,
    () => false,
  );
  await new Promise((resolve) => server.close(resolve));
  return isListening;
}

/** Starts it, waits for /live on the admin port, ends it with SIGTERM; the exit code of the process itself. */
export async function liveAndDrain(
  [program = '', ...parameters]: readonly string[],
  adminPort: number,
  env: NodeJS.ProcessEnv = {},
): Promise<number | null> {
  const child = spawn(program, parameters, {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
    stdio: 'inherit',
  });
  const exited = once(child, 'exit');
  const isLive = async () => {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}`);
    return fetch(`http://127.0.0.1:${adminPort}/live`).then(
      ({ status }) => status === 200,
      () => false,
    );
  };
  try {
    await until(isLive, '/live', 30_000);
  } finally {
    child.kill('SIGTERM');
  }
  const [code] = (await exited) as [number | null];
  return code;
}

export function remove(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true });
}
