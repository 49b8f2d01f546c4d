/** Writes matrix.txt anew, for a person to review: node test/security/write-matrix.ts */
import { writeFile } from 'node:fs/promises';
import { observeMatrix } from './support/matrix.ts';

const { text } = await observeMatrix();
await writeFile(new URL('./matrix.txt', import.meta.url), text);
