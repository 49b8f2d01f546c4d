/** The name of the model is the only thing that ever changes in a JSON answer, and a change is known in time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonAnswer } from '../../src/upstream/json-answer.ts';
import { passThrough } from './support/json.ts';

for (const [name, before, after] of [
  ['another', '{"id":1,"model":"/srv/big","a":[1]}', '{"id":1,"model":"public","a":[1]}'],
  ['spaced', '{ "model" : "/srv/big" , "a" : 1 }', '{ "model" : "public" , "a" : 1 }'],
  ['with escapes', '{"model":"\\/srv\\"","a":1}', '{"model":"public","a":1}'],
  ['the right one', '{"model":"public","a":1}', '{"model":"public","a":1}'],
  ['null', '{"model":null}', '{"model":null}'],
  ['nested only', '{"a":{"model":"x"},"b":["model"]}', '{"a":{"model":"x"},"b":["model"]}'],
  ['named in a text', '{"a":"\\"model\\":\\"x\\""}', '{"a":"\\"model\\":\\"x\\""}'],
  ['in a list of answers', '[{"model":"x"}]', '[{"model":"x"}]'],
] as const) {
  test(`model ${name}`, () => {
    const { text } = passThrough('public', [before]);
    assert.equal(text, after);
  });
}

test('without a name to map nothing changes and the length stays known', () => {
  const answer = new JsonAnswer(undefined);
  const sent = Buffer.from('{"model":"/srv/big"');
  assert.equal(answer.push(sent), sent);
  assert.equal(answer.edited, false);
});

test('the length counts as unknown until the name has been seen, and as known when it was right', () => {
  const answer = new JsonAnswer('public');
  answer.push(Buffer.from('{"id":1,'));
  assert.equal(answer.edited, true);
  answer.push(Buffer.from('"model":"public","a":'));
  assert.equal(answer.edited, false);
});

test('a large answer passes as it comes: nothing but a name or a usage that is cut is held', () => {
  const answer = new JsonAnswer('public');
  answer.push(Buffer.from('{"choices":["'));
  const piece = Buffer.alloc(65_536, 'x');
  for (let round = 0; round < 100; round += 1) assert.equal(answer.push(piece), piece);
  assert.equal(answer.push(Buffer.from('"],"model":"/srv')).toString(), '"],"model":');
  assert.equal(answer.push(Buffer.from('/big"}')).toString(), '"public"}');
});

test('a name longer than 64 KiB is no name, and passes', () => {
  const sent = ['{"model":"', 'x'.repeat(100_000), '","usage":{"prompt_tokens":3}}'];
  const { text, usage } = passThrough('public', sent);
  assert.equal(text, sent.join(''));
  assert.equal(usage?.inputTokens, 3);
});
