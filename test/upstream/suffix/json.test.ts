/** Whole answers: the suffix stands behind each choice that is text, and all other bytes stay. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everySplit } from '../support/splits.ts';
import { recorded, whole } from './passed.ts';

const suffix = '\n— "Ünë" \u{1f600}';
const inJson = JSON.stringify(suffix).slice(1, -1);

const samples = ['chat', 'chat-n2', 'chat-logprobs', 'completions', 'completions-batch', 'responses'];

for (const name of samples) {
  test(`${name} as recorded, cut at every place and byte by byte`, () => {
    const sent = recorded(name);
    const plain = whole([sent], undefined);
    const expected = whole([sent], suffix);
    let at = 0;
    for (const pieces of everySplit(Buffer.from(sent))) {
      at += 1;
      if (at % 17 > 0 && pieces.length <= 2) continue;
      assert.deepEqual(whole(pieces, suffix), expected);
    }
    const said = textsOf(sent);
    assert.ok(said.length > 0);
    assert.deepEqual(
      textsOf(expected.text),
      said.map((text) => text + suffix),
    );
    assert.equal(expected.text.replaceAll(inJson, ''), sent, 'all other bytes stay');
    assert.equal(expected.addedBytes, said.length * Buffer.byteLength(inJson));
    assert.deepEqual([expected.usage, expected.complete], [plain.usage, true]);
  });
}

test('calls of tools get none, as recorded and in other forms', () => {
  const tools = recorded('chat-tools');
  assert.equal(whole([tools], suffix).text, tools);
  const call = { function: { name: 'f', arguments: '{}' } };
  const none: object[] = [
    { message: { content: null }, finish_reason: 'stop' },
    { message: { content: 'I call.', tool_calls: [call] }, finish_reason: 'stop' },
    { message: { content: 'I call.', function_call: call }, finish_reason: 'stop' },
    { message: { content: 'I call.' }, finish_reason: 'tool_calls' },
    { text: 7 },
    {},
  ];
  for (const choice of none) {
    const sent = JSON.stringify({ choices: [choice] });
    assert.equal(whole([sent], suffix).text, sent);
  }
});

test('only the choices that speak', () => {
  const say = (content: string) => ({
    message: { role: 'assistant', content, tool_calls: [] },
    finish_reason: 'stop',
  });
  const call = { message: { content: null, tool_calls: [{}] }, finish_reason: 'tool_calls' };
  const sent = JSON.stringify({ choices: [say('a'), call, say(''), null, 7] });
  const expected = JSON.stringify({ choices: [say(`a${suffix}`), call, say(suffix), null, 7] });
  assert.equal(whole([sent], suffix).text, expected);
});

test('numbers and names that do not survive parsing stay, and of a doubled field the one that counts is changed', () => {
  const sent = ' { "x" : 1e400, "choices":[ {"text":"a","\\u0074ext":"b\\"", "y":0.10} ] } ';
  assert.equal(
    whole([sent], suffix).text,
    sent.replace('b\\"', () => `b\\"${inJson}`),
  );
});

test('of a response the last text of the last message, and what the server put together', () => {
  const part = (text: string) => ({ type: 'output_text', text });
  const message = (...texts: string[]) => ({ type: 'message', content: texts.map(part) });
  const answer = (last: string, all: string) => ({
    output: [{ type: 'reasoning' }, message('a'), message('b', last), { type: 'web_search_call' }],
    status: 'completed',
    output_text: all,
  });
  const { text } = whole([JSON.stringify(answer('c', 'abc'))], suffix);
  assert.equal(text, JSON.stringify(answer(`c${suffix}`, `abc${suffix}`)));
  const others = [
    { ...answer('c', 'abc'), status: 'failed' },
    { output: [message('a'), { type: 'function_call' }], status: 'completed' },
    { output: [message()], status: 'completed' },
    { output: [{ type: 'message', content: 'a' }, null], status: 'completed' },
    { output: 'a' },
    { data: [] },
  ];
  for (const other of others)
    assert.equal(whole([JSON.stringify(other)], suffix).text, JSON.stringify(other));
});

test('what is no JSON passes, and more than 16 MB is given up', () => {
  assert.equal(whole(['{"choices":[{"text":"a"'], suffix).text, '{"choices":[{"text":"a"');
  assert.equal(whole(['[]'], suffix).text, '[]');
  const mega = 'x'.repeat(1_048_576);
  const pieces = (count: number) => ['{"choices":[{"text":"', ...Array(count).fill(mega), '"}]}'];
  assert.equal(whole(pieces(15), suffix).overflow, false);
  const tooLarge = whole(pieces(17), suffix);
  assert.deepEqual([tooLarge.overflow, tooLarge.text], [true, '']);
});

interface Answer {
  readonly choices?: { readonly message?: { readonly content: string }; readonly text?: string }[];
  readonly output?: { readonly content?: { readonly text: string }[] }[];
}

function textsOf(json: string): string[] {
  const { choices = [], output = [] } = JSON.parse(json) as Answer;
  const ofChoices = choices.map(({ message, text }) => message?.content ?? text ?? '');
  return [...ofChoices, ...output.flatMap(({ content = [] }) => content.map(({ text }) => text))];
}
