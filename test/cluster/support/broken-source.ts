/** A copy of the source in which a script has been broken on purpose: the judges must notice. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** @param script such as `admit`; each `from` must stand in it */
export async function brokenSource(
  script: string,
  changes: readonly { readonly from: string; readonly to: string }[],
): Promise<{ readonly main: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-broken-'));
  await cp(join(root, 'src'), join(folder, 'src'), { recursive: true });
  await cp(join(root, 'package.json'), join(folder, 'package.json'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const file = join(folder, 'src', 'redis', 'scripts', `${script}.lua`);
  let lua = await readFile(file, 'utf8');
  for (const { from, to } of changes) {
    if (!lua.includes(from)) throw new Error(`${script}.lua has no: ${from}`);
    lua = lua.replace(from, to);
  }
  await writeFile(file, lua);
  return {
    main: join(folder, 'src', 'main.ts'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
