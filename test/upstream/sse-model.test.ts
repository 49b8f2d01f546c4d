/** Every event names the model as the client does; the server's name never shows, and texts are left alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { passThrough } from './support/sse.ts';

const served = '/srv/models/big';
const shape = { model: 'public' };
const done = 'data: [DONE]\n\n';

for (const [name, before, after] of [
  ['compact', `{"model":"${served}","a":1}`, '{"model":"public","a":1}'],
  ['spaced', `{"model": "${served}", "a": 1}`, '{"model": "public", "a": 1}'],
  ['as the last member', `{"a":[{"b":2}],"model":"${served}"}`, '{"a":[{"b":2}],"model":"public"}'],
  ['written with escapes', '{"model":"\\/srv\\u002fmodels\\"","a":1}', '{"model":"public","a":1}'],
  ['inside of response', `{"response":{"model":"${served}","n":1}}`, '{"response":{"model":"public","n":1}}'],
  [
    'on both levels',
    `{"model":"${served}","response":{ "id":1, "model": "${served}" }}`,
    '{"model":"public","response":{ "id":1, "model": "public" }}',
  ],
  ['null', '{"model":null,"a":1}', '{"model":null,"a":1}'],
  ['absent', '{"a":1}', '{"a":1}'],
  ['in another object', '{"a":{"model":"x"}}', '{"a":{"model":"x"}}'],
] as const) {
  test(`the model, ${name}`, () => {
    const { text } = passThrough(shape, [`data: ${before}\n\n`, done]);
    assert.equal(text, `data: ${after}\n\n${done}`);
  });
}

test('a text that holds "model":"…" is left as it is', () => {
  const content = JSON.stringify(`say "model":"${served}" and {"model":"x"}`);
  const event = (model: string) =>
    `data: {"choices":[{"delta":{"content":${content}}}],"model":"${model}"}\n\n`;
  const { text } = passThrough(shape, [event(served), event(served) + done]);
  assert.equal(text, event('public') + event('public') + done);
});

test('a name that needs escapes is written with them', () => {
  const model = 'a"b\\c\u0001é😀';
  const { text } = passThrough({ model }, [`data: {"model":"${served}"}\n\n${done}`]);
  assert.equal((JSON.parse(text.slice(6, text.indexOf('\n'))) as { model: string }).model, model);
});

test('a server that names the model rightly is passed on byte for byte', () => {
  const stream = `data: {"model":"public","a":1}\r\n\r\n: ping\r\n\r\ndata:{"model":"public"}\n\nid: 3\n\n${done}`;
  assert.equal(passThrough(shape, [stream]).text, stream);
});

test('events of the Responses API that name no model change nothing for those that do', () => {
  const own = { model: 'public', ending: 'terminal_event' } as const;
  const first = 'data: {"type":"response.created","response":{"model":"public"}}\n\n';
  const delta = 'data: {"type":"response.output_text.delta","delta":"a"}\n\n';
  const last = (model: string) => `data: {"type":"response.completed","response":{"model":"${model}"}}\n\n`;
  const { text } = passThrough(own, [first, delta, last(served)]);
  assert.equal(text, first + delta + last('public'));
});
