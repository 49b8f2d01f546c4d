/** Programs of the system that some tests run. `deploy/prepare.mjs --tests` installs them where it may. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian keeps servers where the PATH of a user does not lead. */
const SERVER_FOLDERS = ['/usr/local/sbin', '/usr/sbin'];

/** Where a program is; undefined: not on this machine. */
export function programPath(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SERVER_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * For the options of a test: false where all of them are here, else why it is skipped.
 *
 *     test('…', { skip: missingPrograms('nginx', 'curl') }, …)
 */
export function missingPrograms(...names: readonly string[]): string | false {
  const missing = names.filter((name) => programPath(name) === undefined);
  return missing.length > 0 && `${missing.join(', ')} not found; as root: node deploy/prepare.mjs --tests`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
