/** Whoever follows a guide types commands that there are, and finds what it leads to. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertTaken, commandsIn } from '../support/typed-commands.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const documents = globSync(['*.md', 'deploy/**/*.md', 'grafana/*.md'], { cwd: root });

test('what the guides tell one to type is what the command line takes', async () => {
  const commands = new Set(documents.flatMap((document) => commandsIn(read(document))));
  assert.ok(commands.size > 50);
  for (const command of commands) await assertTaken(command);
});

test('links between documents lead to files, and to headings in them', () => {
  for (const document of documents) {
    for (const [, target = ''] of read(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path, anchor] = target.split('#');
      const file = path ? join(dirname(document), path) : document;
      assert.ok(existsSync(join(root, file)), `${document}: ${target}`);
      if (anchor) assert.ok(anchorsOf(read(file)).includes(anchor), `${document}: ${target}`);
    }
  }
});

function read(document: string): string {
  return readFileSync(join(root, document), 'utf8');
}

/** As the usual viewers make them of headings. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
