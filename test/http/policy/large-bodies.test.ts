/** Bodies of 20 MB that are made to be slow take no longer than reading them does anyway. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apply, bodyOf, type Path, policy } from './applied.ts';

const rules = policy({
  ...{ system_text: 'Be brief.', removed: ['a', 'b'], forced: { temperature: 0 }, caps: { max_tokens: 5 } },
});
const tenMillion = 10_000_000;

const bodies: readonly [title: string, path: Path, text: string][] = [
  [
    'escaped quotes',
    '/v1/chat/completions',
    chat(`{"role":"system","content":"${'\\"'.repeat(tenMillion)}"}`),
  ],
  [
    'quotes just out of sight',
    '/v1/chat/completions',
    chat(`{"role":"system","content":"${`${'x'.repeat(40)}\\"`.repeat(tenMillion / 21)}"}`),
  ],
  ['backslashes', '/v1/completions', `{"a":"${'\\\\'.repeat(tenMillion)}","prompt":"${'x'.repeat(100)}"}`],
  [
    'as many members as there may be',
    '/v1/completions',
    `{${Array.from({ length: 9_990 }, (_, index) => `"${index}":1`).join(',')},"a":1,"prompt":"x","b":2}`,
  ],
  [
    'messages without number',
    '/v1/chat/completions',
    chat(Array(20_000).fill('{"role":"user","content":"x"}').join(',')),
  ],
  ['spaces', '/v1/responses', `{${' '.repeat(tenMillion)}"a"${' '.repeat(tenMillion)}:1,"input":"x"}`],
];

for (const [title, path, text] of bodies) {
  test(title, () => {
    const body = bodyOf(text);
    const parsingMs = timed(() => bodyOf(text));
    let result: ReturnType<typeof apply> | undefined;
    const appliedMs = timed(() => {
      result = apply(path, body, [rules]);
    });
    assert.ok(result && 'body' in result);
    assert.equal(JSON.parse(result.body.bytes.toString()).temperature, 0);
    // Some of them are written anew, which costs more than reading.
    assert.ok(appliedMs < 3 * parsingMs + 300, `${appliedMs} ms, and ${parsingMs} ms to read it`);
  });
}

function chat(messages: string): string {
  return `{"a":1,"messages":[${messages}],"b":2}`;
}

function timed(work: () => void): number {
  const startedAtMs = performance.now();
  work();
  return performance.now() - startedAtMs;
}
