import assert from 'node:assert/strict';
import { test } from 'node:test';
import { affinityHash } from '../../../src/upstream/choice/affinity-key.ts';

const CHAT = '/v1/chat/completions';
const sessions = ['x-session-id'];
const long = (word: string, characters: number) => word.repeat(Math.ceil(characters / word.length));

const system = { role: 'system', content: long('You help the customers of a bicycle shop. ', 120) };
const user = (content: unknown) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

function ofChat(...messages: object[]): number | undefined {
  return affinityHash(CHAT, { messages }, {}, sessions);
}

test('all turns of a conversation have one hash', () => {
  const first = [system, user('My chain is loose.')];
  const later = [...first, assistant('Tighten it.'), user('How?'), assistant('With a key.'), user('Thanks.')];
  assert.notEqual(ofChat(...first), undefined);
  assert.equal(ofChat(...first), ofChat(...later));
});

test('conversations with one system text differ by the first message of the user, however long the text is', () => {
  for (const characters of [100, 1_000, 100_000]) {
    const text = { role: 'developer', content: long('You know everything about tyres. ', characters) };
    assert.notEqual(
      ofChat(text, user('My front tyre is flat.')),
      ofChat(text, user('My rear tyre is flat.')),
    );
  }
  const tools = [{ type: 'function', function: { name: 'look_up', description: long('Looks up. ', 5_000) } }];
  const ask = (content: string) =>
    affinityHash(CHAT, { messages: [system, system, system, user(content)], tools }, {}, sessions);
  assert.notEqual(ask('one'), ask('two'));
});

test('tools, system text and the parts of a message tell conversations apart', () => {
  const messages = [system, user('Hello')];
  const hashes = [
    ofChat(...messages),
    ofChat({ ...system, content: `Never swear. ${system.content}` }, user('Hello')),
    ofChat(system, user([{ type: 'text', text: 'Hello' }])),
    ofChat(system, user(['Hel', 'lo'])),
    ofChat(system, user(['He', 'llo'])),
    affinityHash(CHAT, { messages, tools: [{ type: 'function', function: { name: 'a' } }] }, {}, sessions),
    affinityHash(CHAT, { messages, tools: [{ type: 'function', function: { name: 'b' } }] }, {}, sessions),
  ];
  assert.equal(new Set(hashes).size, hashes.length);
});

test('what stands behind the first kilobyte is not read', () => {
  const text = long('You know everything about tyres. ', 1_024);
  const hash = (end: string) => ofChat({ role: 'system', content: text + end }, user(text + end));
  assert.equal(hash('one'), hash('two'));
});

test('images that begin alike are told apart', () => {
  const image = (end: string) =>
    user([
      { type: 'image_url', image_url: { url: `data:image/jpeg;base64,${long('/9j/4AAQ', 9_000)}${end}` } },
    ]);
  assert.notEqual(ofChat(system, image('one=')), ofChat(system, image('two=')));
});

test('small talk has no hash until there is enough of it, and keeps the one that it has then', () => {
  const opening = [user('Hi'), assistant('Hello! What can I do for you on this fine morning, or evening?')];
  assert.equal(ofChat(user('Hi')), undefined);
  const second = ofChat(...opening, user('Sing.'));
  assert.notEqual(second, undefined);
  assert.equal(ofChat(...opening, user('Sing.'), assistant('La.'), user('More.')), second);
});

test('a session header decides before all else, and an unusable one does not count', () => {
  const body = { messages: [system, user('Hello')], prompt_cache_key: 'shop' };
  const hash = (value: string | string[] | undefined) =>
    affinityHash(CHAT, body, { 'x-session-id': value }, sessions);
  assert.notEqual(hash('s-1'), hash('s-2'));
  assert.equal(
    hash('s-1'),
    affinityHash(CHAT, { messages: [user('Hi')] }, { 'x-session-id': 's-1' }, sessions),
  );
  assert.notEqual(hash(long('s', 128)), hash(undefined));
  for (const bad of ['', 'a b', 'a, b', 'é', long('s', 129), ['a', 'b']])
    assert.equal(hash(bad), hash(undefined));
});

test('of several session headers the first usable one counts', () => {
  const hash = (headers: Record<string, string>) => affinityHash(CHAT, {}, headers, ['x-first', 'x-second']);
  assert.equal(hash({ 'x-first': 'one', 'x-second': 'two' }), hash({ 'x-first': 'one' }));
  assert.equal(hash({ 'x-first': 'not usable', 'x-second': 'two' }), hash({ 'x-second': 'two' }));
});

test('a prompt cache key decides before the prompt, and one that is no text does not count', () => {
  const hash = (key: unknown, text: string) =>
    affinityHash(CHAT, { messages: [system, user(text)], prompt_cache_key: key }, {}, sessions);
  assert.equal(hash('shop', 'one'), hash('shop', 'two'));
  assert.notEqual(hash('shop', 'one'), hash('yard', 'one'));
  for (const bad of [7, '', null, {}]) assert.equal(hash(bad, 'one'), hash(undefined, 'one'));
});

test('responses and completions are read as well; what leaves nothing in a cache is not', () => {
  const hash = (path: string, body: Record<string, unknown>) => affinityHash(path, body, {}, sessions);
  const text = long('Once upon a time ', 300);
  assert.notEqual(hash('/v1/responses', { instructions: text, input: 'a' }), undefined);
  assert.notEqual(
    hash('/v1/responses', { instructions: text, input: 'a' }),
    hash('/v1/responses', { instructions: text, input: [user('b')] }),
  );
  assert.equal(
    hash('/v1/completions', { prompt: text }),
    hash('/v1/completions', { prompt: `${text}and on` }),
  );
  assert.notEqual(hash('/v1/completions', { prompt: [long('a', 99)] }), undefined);
  assert.notEqual(hash('/v1/completions', { prompt: Array.from({ length: 99 }, (_, id) => id) }), undefined);
  for (const path of ['/v1/embeddings', '/v1/rerank', '/v1/score']) {
    assert.equal(hash(path, { input: text, query: text, documents: [text] }), undefined);
  }
});

test('nothing in a body of any shape makes it throw', () => {
  const odd = [
    undefined,
    null,
    1,
    true,
    '',
    [],
    {},
    [null],
    [[]],
    [{ content: 5 }],
    [{ role: {}, content: {} }],
  ];
  for (const value of odd) {
    for (const path of [CHAT, '/v1/responses', '/v1/completions', '/v1/score']) {
      const body = { messages: value, input: value, prompt: value, tools: value, instructions: value };
      const hash = affinityHash(path, body, {}, sessions);
      assert.ok(hash === undefined || (Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32));
    }
  }
});

test('a body of hostile size is read no longer than a usual one', () => {
  let visited = 0;
  const counting = <Item>(items: Item[]): Item[] =>
    new Proxy(items, {
      get(target, name, receiver) {
        visited += 1;
        return Reflect.get(target, name, receiver);
      },
    });
  const wide = new Proxy({}, { ownKeys: () => assert.fail('the members are listed') });
  ofChat(user([wide]));
  affinityHash(CHAT, { tools: [wide] }, {}, sessions);
  const many = <Item>(item: Item) => counting(Array.from({ length: 100_000 }, () => item));
  ofChat(user(many([])), user(many('')), user(many(null)));
  affinityHash('/v1/responses', { tools: many({}), input: many({}) }, {}, sessions);
  affinityHash(CHAT, { messages: many({ role: 'system', content: '' }) }, {}, sessions);
  assert.ok(visited < 10_000, `${visited} look-ups`);
});
