/** The folder that `npm start` keeps its things in (`.sluice`), readable by this user alone. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join, relative } from 'node:path';

export interface Home {
  readonly folder: string;
  /** Pepper of the keys; only used where the operator gives none. */
  readonly secretFile: string;
  readonly adminTokenFile: string;
  /** `{url, token}` of the first gateway's admin API, for the command line. */
  readonly adminFile: string;
  /** The first API key, for the operator's own first call. */
  readonly keyFile: string;
  readonly redisFolder: string;
  readonly redisConfigFile: string;
  readonly redisPidFile: string;
  readonly logFolder: string;
}

export function openHome(folder: string): Home {
  const home: Home = {
    folder,
    secretFile: join(folder, 'secret'),
    adminTokenFile: join(folder, 'admin-token'),
    adminFile: join(folder, 'admin.json'),
    keyFile: join(folder, 'key'),
    redisFolder: join(folder, 'redis'),
    redisConfigFile: join(folder, 'redis.conf'),
    redisPidFile: join(folder, 'redis.pid'),
    logFolder: join(folder, 'logs'),
  };
  for (const path of [home.folder, home.redisFolder, home.logFolder]) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }
  chmodSync(home.folder, 0o700);
  return home;
}

/** The file's content without line end; undefined when there is no such file. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole or not at all, also when the machine loses power: a half-written secret would void every key. */
export function writePrivately(path: string, text: string): void {
  const unfinished = `${path}.new`;
  const file = openSync(unfinished, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, path);
}

/** 64 hexadecimal digits, made at the first call and the same ever after. */
export function keptSecret(path: string): string {
  const kept = readText(path);
  if (kept === undefined) {
    const made = randomBytes(32).toString('hex');
    writePrivately(path, `${made}\n`);
    return made;
  }
  if (!/^[0-9a-f]{64}$/.test(kept)) {
    throw new Error(`${path} is damaged. Restore it from a backup, or delete it to begin with new keys.`);
  }
  return kept;
}

/** As a person would name the path from where they are. */
export function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith('..') ? path : fromHere;
}
