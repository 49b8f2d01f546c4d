/** The release before this one, out of the history of the repository. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** Knows keys and tenants, and no limits. */
export const OLD_RELEASE = '13ca767';

/** Its entry; undefined where the history does not reach back so far. */
export async function unpackRelease(t: TestContext, commit: string): Promise<string | undefined> {
  const isThere = await run('git', ['-C', root, 'cat-file', '-e', `${commit}^{commit}`]).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-release-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const archive = join(folder, 'source.tar');
  await run('git', ['-C', root, 'archive', '--output', archive, commit, 'src', 'package.json']);
  await run('tar', ['-xf', archive, '-C', folder]);
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, 'src', 'main.ts');
}
