import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** An editor that saves writes several times in a row. */
const QUIET_MS = 150;

/** Calls back once after each burst of changes below the folder or to the file. */
export function watchForChanges(folder: string, file: string | undefined, changed: () => void): void {
  let timer: NodeJS.Timeout | undefined;
  const touched = () => {
    clearTimeout(timer);
    timer = setTimeout(changed, QUIET_MS);
  };
  watch(folder, { recursive: true }, touched);
  if (!file) return;
  // Its folder, because editors put a new file in the place of the old one.
  watch(dirname(file), (_event, name) => {
    if (name === basename(file)) touched();
  });
}
