/** Whether a stream came to its end is known for certain: otherwise its caller is told that it broke off. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everySplit } from './support/splits.ts';
import { passThrough } from './support/sse.ts';

const text = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n';

for (const [name, ending] of [
  ['[DONE]', 'data: [DONE]\n\n'],
  ['[DONE] with carriage returns', 'data: [DONE]\r\n\r\n'],
  ['[DONE] without a space', 'data:[DONE]\n\n'],
  ['[DONE] without an empty line behind it', 'data: [DONE]'],
  ['[DONE] and half of the empty line', 'data: [DONE]\n'],
  ['[DONE] and comments behind it', 'data: [DONE]\n\n: ping\n\n: ping\n\n'],
] as const) {
  test(`a stream with ${name} is complete, and passes whole`, () => {
    for (const pieces of everySplit(Buffer.from(text + ending))) {
      const answer = passThrough({}, pieces);
      assert.equal(answer.text, text + ending);
      assert.equal(answer.complete, true, pieces.map(String).join('|'));
    }
  });
}

for (const [name, stream] of [
  ['nothing', ''],
  ['an event', text],
  ['half an event', text.slice(0, 20)],
  ['a text that says [DONE]', 'data: {"choices":[{"delta":{"content":"[DONE]"}}]}\n\n'],
  ['a list', 'data: [1,2]\n\n'],
  ['a comment that says [DONE]', `${text}: [DONE]\n\n`],
  ['a word before [DONE]', 'data: not [DONE]\n\n'],
  ['half of [DONE]', `${text}data: [DON`],
] as const) {
  test(`a stream that ends with ${name} is not complete, and what came is passed on`, () => {
    for (const pieces of everySplit(Buffer.from(stream))) {
      const answer = passThrough({}, pieces);
      assert.equal(answer.text, stream);
      assert.equal(answer.complete, false);
    }
  });
}

for (const type of ['response.completed', 'response.incomplete', 'response.failed', 'error']) {
  for (const json of [`{"type":"${type}","error":null}`, `{"error": null, "type": "${type}"}`]) {
    test(`the Responses API ends with ${json}`, () => {
      for (const pieces of everySplit(Buffer.from(`event: ${type}\ndata: ${json}\n\n`))) {
        assert.equal(passThrough({ ending: 'terminal_event' }, pieces).complete, true);
      }
    });
  }
}

test('the Responses API does not end with a text that names its last event, nor with a response that is running', () => {
  const words = JSON.stringify('{"type":"response.completed"} "response.completed"');
  const stream = [
    'event: response.created\ndata: {"type":"response.created","response":{"error":null}}\n\n',
    `data: {"type":"response.output_text.delta","delta":${words}}\n\n`,
    'data: {"type":"response.output_text.delta","delta":"response.completed"}\n\n',
  ];
  assert.equal(passThrough({ ending: 'terminal_event' }, stream).complete, false);
});

test('several data lines make one event, which passes as it is', () => {
  const stream =
    'data: first\ndata: second\n\ndata: {"usage":\ndata: {"prompt_tokens":1}}\n\ndata: [DONE]\n\n';
  for (const pieces of everySplit(Buffer.from(stream))) {
    const answer = passThrough({ model: 'public' }, pieces);
    assert.equal(answer.text, stream);
    assert.equal(answer.complete, true);
  }
});
