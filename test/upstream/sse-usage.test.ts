/** The usage of a stream is found however a server writes it, and the chunk that we asked for is taken out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everySplit } from './support/splits.ts';
import { passThrough, usage } from './support/sse.ts';

const text = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n';
const done = 'data: [DONE]\n\n';
const dropped = { dropUsageChunk: true };

for (const [name, json] of [
  ['compact', '{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}'],
  ['as Python writes it', '{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}'],
  ['with odd spaces', '{ "usage"  :   {"completion_tokens":3 , "prompt_tokens" :5},"choices": [ ] }'],
] as const) {
  test(`a usage chunk, ${name}, is read and taken out`, () => {
    const answer = passThrough(dropped, [text, `data: ${json}\n\n`, done]);
    assert.equal(answer.text, text + done);
    assert.deepEqual(answer.usage, usage(5, 3));
  });

  test(`a usage chunk, ${name}, that the client asked for stays`, () => {
    const stream = `${text}data: ${json}\n\n${done}`;
    const answer = passThrough({}, [stream]);
    assert.equal(answer.text, stream);
    assert.deepEqual(answer.usage, usage(5, 3));
  });
}

test('usage beside an empty list of choices only is taken out: a last token with usage stays', () => {
  const last =
    'data: {"choices":[{"delta":{"content":"z"}}],"usage":{"prompt_tokens":5,"completion_tokens":3}}\n\n';
  const answer = passThrough(dropped, [text, last, done]);
  assert.equal(answer.text, text + last + done);
  assert.deepEqual(answer.usage, usage(5, 3));
});

test('an empty list of choices without usage stays', () => {
  const stream = `data: {"choices":[],"prompt_filter_results":[]}\n\ndata: {"choices":[],"usage":null}\n\n${done}`;
  const answer = passThrough(dropped, [stream]);
  assert.equal(answer.text, stream);
  assert.equal(answer.usage, undefined);
});

test('continuous usage: the largest counts, whatever the order of the chunks', () => {
  const counted = (tokens: number) =>
    `data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":5,"completion_tokens":${tokens}}}\n\n`;
  const stream = [counted(0), counted(1), counted(9), counted(4), done];
  for (const pieces of [stream, [stream.join('')]]) {
    const answer = passThrough(dropped, pieces);
    assert.equal(answer.text, stream.join(''));
    assert.deepEqual(answer.usage, usage(5, 9));
  }
});

test('a text that speaks of usage counts nothing', () => {
  const words = JSON.stringify('{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3}}');
  const stream = `data: {"choices":[{"delta":{"content":${words}}}]}\n\n${done}`;
  const answer = passThrough(dropped, [stream]);
  assert.equal(answer.text, stream);
  assert.equal(answer.usage, undefined);
});

test('counts that are none, such as negative ones or texts, become 0 and never break the stream', () => {
  const odd =
    'data: {"choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":"3","total_tokens":4}}\n\n';
  const answer = passThrough({}, [odd, done]);
  assert.equal(answer.text, odd + done);
  assert.deepEqual(answer.usage, usage(0, 0));
});

test('the usage of the Responses API stands inside of response, and its event stays', () => {
  const json =
    '{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":3,"total_tokens":8,"input_tokens_details":{"cached_tokens":2}}}}';
  const stream = Buffer.from(`event: response.completed\ndata: ${json}\n\n`);
  for (const pieces of everySplit(stream)) {
    const answer = passThrough({ dropUsageChunk: false, ending: 'terminal_event' }, pieces);
    assert.equal(answer.text, stream.toString());
    assert.deepEqual(answer.usage, usage(5, 3, 2));
  }
});
