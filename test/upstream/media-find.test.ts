import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRemoteMedia } from '../../src/upstream/media.ts';

const inside = 'data:image/png;base64,aGk=';
const remote = 'https://images.example.com/cat.png';

function paramsOf(body: unknown): string[] {
  return findRemoteMedia(body).map(({ param }) => param);
}

const user = (...content: unknown[]) => ({
  messages: [
    { role: 'user', content: 'Hello' },
    { role: 'user', content },
  ],
});

test('a request without addresses gets one shared empty answer', () => {
  const nothing = findRemoteMedia({});
  for (const body of [
    null,
    'text',
    [],
    { messages: [{ role: 'user', content: remote }] },
    { input: ['a', remote], prompt: remote },
    { input: [[1, 2, 3], [4]] },
    user({ type: 'text', text: remote }, { type: 'image_url', image_url: { url: inside } }),
    user(
      { type: 'image_url', image_url: inside },
      { type: 'input_audio', input_audio: { data: 'aGk=', format: 'wav' } },
    ),
    user({ type: 'file', file: { file_id: 'file-1', file_data: inside } }, null, 7, 'text'),
    { input: [{ role: 'user', content: [{ type: 'input_image', image_url: inside, detail: 'low' }] }] },
    { messages: 7, input: null },
    {
      messages: [],
      tools: [{ function: { parameters: { properties: { image_url: { type: 'string' } } } } }],
    },
  ]) {
    assert.equal(findRemoteMedia(body), nothing);
  }
});

test('addresses are found in every place where servers look for them', () => {
  const cases: [unknown, string][] = [
    [user({ type: 'image_url', image_url: { url: remote } }), 'messages[1].content[0].image_url.url'],
    [user('text', { type: 'image_url', image_url: remote }), 'messages[1].content[1].image_url'],
    [user({ image_url: remote }), 'messages[1].content[0].image_url'],
    [user({ type: 'text', text: 'hi', image_url: remote }), 'messages[1].content[0].image_url'],
    [user({ type: 'video_url', video_url: { url: remote } }), 'messages[1].content[0].video_url.url'],
    [user({ type: 'audio_url', audio_url: { url: remote } }), 'messages[1].content[0].audio_url.url'],
    [user({ type: 'input_audio', input_audio: { url: remote } }), 'messages[1].content[0].input_audio.url'],
    [user({ type: 'file', file: { file_url: remote } }), 'messages[1].content[0].file.file_url'],
    [{ input: [{ content: [{ type: 'input_image', image_url: remote }] }] }, 'input[0].content[0].image_url'],
    [{ input: [{ content: [{ type: 'input_file', file_url: remote }] }] }, 'input[0].content[0].file_url'],
    [
      { input: [{ type: 'function_call_output', output: [{ image_url: remote }] }] },
      'input[0].output[0].image_url',
    ],
    [
      { input: [{ type: 'computer_call_output', output: { image_url: remote } }] },
      'input[0].output.image_url',
    ],
    [{ input: [{ text: 'a cat', image: remote }] }, 'input[0].image'],
    [{ query: { content: [{ image_url: { url: remote } }] } }, 'query.content[0].image_url.url'],
    [{ documents: ['a', { content: [{ image_url: remote }] }] }, 'documents[1].content[0].image_url'],
    [{ messages: [{ content: { image_url: remote } }] }, 'messages[0].content.image_url'],
  ];
  for (const [body, param] of cases) assert.deepEqual(paramsOf(body), [param]);
});

test('whatever is not data: counts as remote, whichever way it is written', () => {
  for (const url of [
    'http://a/b',
    'file:///etc/passwd',
    '/etc/passwd.png',
    '//a/b',
    ' data:image/png;base64,a',
    'DATA:x',
    'ftp://a',
    'a.png',
  ]) {
    assert.deepEqual(paramsOf(user({ image_url: url })), ['messages[1].content[0].image_url'], url);
  }
});

test('every field that a server may read an address from is looked at, as text and as a mapping', () => {
  const kinds = ['image', 'video', 'audio', 'file'].flatMap((kind) => [kind, `${kind}_url`]);
  for (const field of [...kinds, 'input_audio', 'input_video']) {
    assert.deepEqual(paramsOf(user({ [field]: remote })), [`messages[1].content[0].${field}`]);
    assert.deepEqual(paramsOf(user({ [field]: { url: remote } })), [`messages[1].content[0].${field}.url`]);
  }
});

test('a found address can be replaced in the body', () => {
  const body = user({ type: 'image_url', image_url: { url: remote, detail: 'high' } }, { image_url: remote });
  for (const reference of findRemoteMedia(body)) reference.replace(inside);
  assert.deepEqual(
    body,
    user({ type: 'image_url', image_url: { url: inside, detail: 'high' } }, { image_url: inside }),
  );
});
