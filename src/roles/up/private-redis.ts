/** The Redis that `npm start` runs for itself: loopback only, behind a password, with its data in the folder. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildSpec } from './child.ts';
import { type Home, writePrivately } from './home.ts';
import { freePort } from './ports.ts';

const HOST = '127.0.0.1';
const OLDEST_MAJOR = 7;
const binaryNames = ['redis-server', 'valkey-server'];
/** Where the preparation script links to a server that the system keeps under another name. */
const projectBinaries = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));

export interface PrivateRedis {
  readonly url: string;
  readonly address: string;
  readonly child: ChildSpec;
}

/** Throws with a remedy when no server of version 7 or newer is installed. */
export async function preparePrivateRedis(home: Home, env: NodeJS.ProcessEnv): Promise<PrivateRedis> {
  const binary = findServer(env);
  const port = await freePort(HOST);
  const password = randomBytes(24).toString('hex');
  writePrivately(home.redisConfigFile, redisConfig(home, port, password));
  const url = `redis://:${password}@${HOST}:${port}`;
  return {
    url,
    address: `${HOST}:${port}`,
    child: {
      name: 'redis',
      script: fileURLToPath(new URL('redis-guard.ts', import.meta.url)),
      args: [binary, home.redisConfigFile, home.redisPidFile],
      env: { PATH: env.PATH, TZ: env.TZ, REDIS_URL: url },
      logFile: join(home.logFolder, 'redis.log'),
      // Redis reads its whole append-only file before it serves.
      readyTimeoutMs: 300_000,
      endTimeoutMs: 15_000,
      endsBy: 'disconnect',
    },
  };
}

function redisConfig(home: Home, port: number, password: string): string {
  return `# Written anew at every start.
bind ${HOST}
port ${port}
requirepass ${password}
daemonize no
pidfile ${JSON.stringify(home.redisPidFile)}
dir ${JSON.stringify(home.redisFolder)}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
proc-title-template "{title} {listen-addr} {config-file}"
`;
}

function findServer(env: NodeJS.ProcessEnv): string {
  const folders = [...(env.PATH ?? '').split(delimiter).filter(Boolean), projectBinaries];
  let outdated = '';
  for (const name of binaryNames) {
    for (const path of folders.map((folder) => join(folder, name)).filter(isExecutable)) {
      const version = versionOf(path);
      if (Number.parseInt(version, 10) >= OLDEST_MAJOR) return path;
      outdated = ` (${path} is version ${version})`;
    }
  }
  throw new Error(
    `No redis-server or valkey-server of version ${OLDEST_MAJOR} or newer is installed${outdated}. ` +
      'Run: node deploy/prepare.mjs. Or set REDIS_URL to a server that runs elsewhere.',
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function versionOf(path: string): string {
  try {
    const text = execFileSync(path, ['--version'], { encoding: 'utf8', timeout: 5_000 });
    return /\bv=([\d.]+)/.exec(text)?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
