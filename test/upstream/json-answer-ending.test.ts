/** Whether a JSON answer is whole is known, so that half of one never passes for all of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { passThrough } from './support/json.ts';

const whole = '{"model":"m","choices":[{"message":{"content":"} ] \\" {"}}],"usage":{"prompt_tokens":3}}';

test('only the last byte makes an answer complete', () => {
  for (let length = 0; length < whole.length; length += 1) {
    assert.equal(passThrough('public', [whole.slice(0, length)]).complete, false, whole.slice(0, length));
  }
  assert.equal(passThrough('public', [whole]).complete, true);
});

for (const answer of [`${whole}\n`, ' {}', '[]', '[{"index":0}]\r\n', '{"a":1,"a":2}', '{"__proto__":1}']) {
  test(`${JSON.stringify(answer)} is complete`, () => {
    const passed = passThrough('public', [answer]);
    assert.equal(passed.complete, true);
    assert.equal(passed.text, answer.replace('"m"', '"public"'));
  });
}

test('usage of an embeddings answer, and none where there is none', () => {
  assert.deepEqual(
    passThrough(undefined, ['{"data":[],"usage":{"prompt_tokens":4,"total_tokens":4}}']).usage,
    {
      inputTokens: 4,
      outputTokens: 0,
      cachedTokens: 0,
    },
  );
  for (const usage of ['null', '{}', '[]', '"usage"', '{"prompt_tokens":"4"}']) {
    assert.equal(passThrough(undefined, [`{"usage":${usage}}`]).usage, undefined);
  }
});
