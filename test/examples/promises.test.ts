/** The tables at the head of the three set-ups' tests name tests that there are. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { exampleNames } from './support/example.ts';

function textOf(path: string): Promise<string> {
  return readFile(new URL(path, import.meta.url), 'utf8');
}

for (const name of exampleNames) {
  test(`every promise of ${name} is held by a test`, async () => {
    const head = /^\/\*\*\n.*?\*\/$/ms.exec(await textOf(`${name}.test.ts`))?.[0] ?? '';
    const rows = [...head.matchAll(/^ \* \| (?!---|promise)([^|]+) \| (\S+): ([^|]+) \|$/gm)];
    assert.ok(rows.length > 10, `${rows.length} rows`);
    for (const [, promise, file = '', begin = ''] of rows) {
      const text = await textOf(file.includes('/') ? `../${file}.test.ts` : `${file}.test.ts`);
      const names = [...text.matchAll(/^ *test\(\s*(['"`])(.*?)\1,/gm)].map(([, , title = '']) => title);
      assert.ok(
        names.some((title) => title.startsWith(begin)),
        `${promise}: ${file} has no test that begins with "${begin}"`,
      );
    }
  });
}
