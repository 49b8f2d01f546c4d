/** A folder of backups, of which the newest few are kept. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Alphabetical order is that of time. */
export function nameAt(now: Date, prefix: string): string {
  return `${prefix}-${now.toISOString().replace(/[-:]|\.\d+/g, '')}.backup`;
}

export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Touches only files that are named as `nameAt` does, of the same prefix. @returns those that are gone now */
export async function keepNewest(
  folder: string,
  prefix: string,
  countMax: number,
): Promise<readonly string[]> {
  const pattern = new RegExp(`^${prefix}-\\d{8}T\\d{6}Z\\.backup$`);
  const own = (await readdir(folder)).filter((name) => pattern.test(name)).sort();
  const old = own.slice(0, Math.max(0, own.length - countMax));
  for (const name of old) await rm(join(folder, name), { force: true });
  return old;
}
