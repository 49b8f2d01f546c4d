/** A member that the gateway adds stands last, leaves every other byte alone, and never stands beside another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonAnswer, type LastMember } from '../../src/upstream/json-answer.ts';
import { passThrough } from './support/json.ts';

const metadata: LastMember = { name: 'metadata', value: () => '{"a":1}' };

for (const [name, before, after] of [
  ['an answer', '{"id":1,"a":[1]}', '{"id":1,"a":[1],"metadata":{"a":1}}'],
  ['an empty one', '{}', '{"metadata":{"a":1}}'],
  ['one with spaces', ' { "id" : 1 }\r\n', ' { "id" : 1 ,"metadata":{"a":1}}\r\n'],
  ['one with the name further inside', '{"a":{"metadata":{}}}', '{"a":{"metadata":{}},"metadata":{"a":1}}'],
  ['one with braces in a text', '{"a":"} \\" }"}', '{"a":"} \\" }","metadata":{"a":1}}'],
  ['one with a renamed model', '{"id":1,"model":"m"}', '{"id":1,"model":"public","metadata":{"a":1}}'],
] as const) {
  test(`${name} ends with it, however the network cuts the answer`, () => {
    for (let cut = 0; cut <= before.length; cut += 1) {
      const pieces = [before.slice(0, cut), before.slice(cut)];
      assert.equal(passThrough('public', pieces, metadata).text, after, `cut at ${cut}`);
    }
    assert.equal(passThrough('public', [...before], metadata).text, after);
    assert.equal(new JsonAnswer('public', metadata).whole(Buffer.from(before)).toString(), after);
  });
}

for (const untouched of [
  '{"metadata":null,"a":1}',
  '{"a":1,"\\u006detadata":{"b":2}}',
  '[{"a":1}]',
  '"text"',
  '{"a":1,"a":2}',
  'no JSON }',
]) {
  test(`${untouched} stays as it is`, () => {
    assert.equal(passThrough('public', [untouched], metadata).text, untouched);
    assert.equal(passThrough('public', [...untouched], metadata).text, untouched);
  });
}

test('its value is asked for once, and not before the end has come', () => {
  let asked = 0;
  const value = () => {
    asked += 1;
    return String(asked);
  };
  const answer = new JsonAnswer(undefined, { name: 'x', value });
  answer.push(Buffer.from('{"a":{}'));
  assert.equal(asked, 0);
  assert.equal(answer.push(Buffer.from('}')).toString(), ',"x":1}');
  answer.push(Buffer.from('\n'));
  assert.equal(asked, 1);
});

test('until the end has come the length counts as unknown', () => {
  const answer = new JsonAnswer(undefined, metadata);
  answer.push(Buffer.from('{"a":1'));
  assert.equal(answer.edited, true);
});

test('usage is still read', () => {
  const sent = '{"model":"public","usage":{"prompt_tokens":3,"completion_tokens":2}}';
  assert.equal(passThrough('public', [sent], metadata).usage?.inputTokens, 3);
});
