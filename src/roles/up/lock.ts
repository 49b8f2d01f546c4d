/**
 * One start per folder. Node has no file locks of its own, SQLite has: the kernel drops them with the process,
 * even after kill -9, so no stale file can keep a start out, and two starts at once cannot both win (a socket
 * or a pid file that is judged stale by both can be taken by both).
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readText } from './home.ts';

const SQLITE_BUSY = 5;

export type LockResult =
  | {
      readonly ok: true;
      /** The last holder was killed: what it started may still be on its way out. */
      readonly lastWasKilled: boolean;
      release(): void;
    }
  | { readonly ok: false; readonly holder: string };

export function acquireLock(folder: string): LockResult {
  const pidFile = join(folder, 'pid');
  const database = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) {
      return { ok: false, holder: readText(pidFile) ?? 'unknown' };
    }
    throw error;
  }
  const lastWasKilled = readText(pidFile) !== undefined;
  writeFileSync(pidFile, `${process.pid}\n`);
  return {
    ok: true,
    lastWasKilled,
    release: () => {
      rmSync(pidFile, { force: true });
      database.close();
    },
  };
}
