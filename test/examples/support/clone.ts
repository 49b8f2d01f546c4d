/** The repository as somebody has it who has just cloned it and installed its packages. */
import { readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const left = ['README.md', 'LICENSE', 'Dockerfile', '.dockerignore', 'package.json', 'package-lock.json'];

export interface Clone {
  readonly folder: string;
  /** @param replacements what stands in the file, and what shall stand there in its place */
  edit(path: string, replacements: Readonly<Record<string, string>>): Promise<void>;
  remove(): Promise<void>;
}

export async function makeClone(): Promise<Clone> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-clone-'));
  const copied = { recursive: true, preserveTimestamps: true };
  await Promise.all(
    [...left, 'src', 'deploy'].map((name) => cp(join(repository, name), join(folder, name), copied)),
  );
  await linkPackages(join(repository, 'node_modules'), join(folder, 'node_modules'));
  return {
    folder,
    async edit(path, replacements) {
      const file = join(folder, path);
      let text = await readFile(file, 'utf8');
      for (const [from, to] of Object.entries(replacements)) {
        if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
        text = text.replaceAll(from, to);
      }
      await writeFile(file, text);
    },
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** Each by itself: an installation in the clone would take away links, and never what they lead to. */
async function linkPackages(from: string, to: string): Promise<void> {
  await mkdir(to);
  await Promise.all(
    readdirSync(from).map((name) =>
      name === '.package-lock.json'
        ? cp(join(from, name), join(to, name), { preserveTimestamps: true })
        : symlink(join(from, name), join(to, name)),
    ),
  );
}
