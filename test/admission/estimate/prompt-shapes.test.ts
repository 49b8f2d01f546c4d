import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Estimator } from '../../../src/admission/estimate/estimator.ts';
import { prose, seeded } from './prose.ts';

const estimator = new Estimator(() => undefined);

function tokensOf(path: string, body: Record<string, unknown>): number {
  return estimator.estimate('m', body, JSON.stringify(body).length, path).inputTokens;
}

const text = prose('latin', 2_000, seeded(1));
const alone = tokensOf('/v1/completions', { prompt: text });

const shapes: Readonly<Record<string, readonly [path: string, body: Record<string, unknown>]>> = {
  'a message': ['/v1/chat/completions', { messages: [{ role: 'user', content: text }] }],
  'a part of a message': [
    '/v1/chat/completions',
    { messages: [{ role: 'user', content: [{ type: 'text', text }] }] },
  ],
  'arguments of a tool that was called': [
    '/v1/chat/completions',
    { messages: [{ role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: text } }] }] },
  ],
  'a suffix': ['/v1/completions', { prompt: 'x', suffix: text }],
  'an input': ['/v1/responses', { input: text }],
  instructions: ['/v1/responses', { input: 'x', instructions: text }],
  'an item': ['/v1/responses', { input: [{ role: 'user', content: [{ type: 'input_text', text }] }] }],
  'what a tool gave back': ['/v1/responses', { input: [{ type: 'function_call_output', output: text }] }],
  'a text to embed': ['/v1/embeddings', { input: text }],
  'one of the texts to embed': ['/v1/embeddings', { input: ['x', text] }],
  'a message to embed': ['/v1/embeddings', { messages: [{ role: 'user', content: text }] }],
  'a document': ['/v1/rerank', { query: 'x', documents: [{ text }] }],
  'a text to score': ['/v1/score', { text_1: 'x', text_2: text }],
};

for (const [name, [path, body]] of Object.entries(shapes)) {
  test(`${name} is counted`, () => {
    const tokens = tokensOf(path, body);
    assert.ok(tokens >= alone - 1 && tokens < alone + 40, `${tokens}, alone ${alone}`);
  });
}

test('tokens that are given as numbers are counted exactly', () => {
  const tokens = Array.from({ length: 500 }, (_, at) => at);
  assert.equal(tokensOf('/v1/completions', { prompt: tokens }), 500);
  assert.equal(tokensOf('/v1/embeddings', { input: [tokens, tokens] }), 1_000);
});

test('a query is counted with each document that it is compared with', () => {
  const once = tokensOf('/v1/rerank', { query: text, documents: ['x'] });
  const ten = tokensOf('/v1/rerank', { query: text, documents: Array(10).fill('x') });
  assert.ok(Math.abs(ten - 10 * once) <= 20, `${ten} against ${once}`);
  const score = tokensOf('/v1/score', { text_1: Array(10).fill('x'), text_2: text });
  assert.ok(Math.abs(ten - score) <= 20, `${score} against ${ten}`);
});

test('two lists to score are compared pair by pair', () => {
  const texts = Array(10).fill(text);
  const tokens = tokensOf('/v1/score', { text_1: texts, text_2: texts });
  assert.ok(Math.abs(tokens / (20 * alone) - 1) < 0.05, `${tokens}`);
});

test('tools cost about what their JSON is long', () => {
  const parameters = Object.fromEntries(
    Array.from({ length: 50 }, (_, at) => [`name_${at}`, { type: 'string', minLength: at }]),
  );
  const tools = [{ type: 'function', function: { name: 'f', description: text, parameters } }];
  const messages = [{ role: 'user', content: 'x' }];
  const tokens =
    tokensOf('/v1/chat/completions', { messages, tools }) - tokensOf('/v1/chat/completions', { messages });
  const length = JSON.stringify(tools).length;
  assert.ok(Math.abs(tokens / (0.3 * length) - 1) < 0.1, `${tokens} for ${length}`);
});

test('a long text is known from a few places, in all its parts', () => {
  const random = seeded(8);
  const halves = [prose('latin', 300_000, random), prose('cjk', 300_000, random)];
  const [latin = 0, cjk = 0] = halves.map((half) => tokensOf('/v1/completions', { prompt: half }));
  const whole = tokensOf('/v1/completions', { prompt: halves.join('') });
  assert.ok(Math.abs(whole / (latin + cjk) - 1) < 0.02, `${whole} against ${latin} + ${cjk}`);
});

test('of very many texts the later ones count as well', () => {
  const messages = Array.from({ length: 20_000 }, () => ({ role: 'user', content: text.slice(0, 100) }));
  const [one] = messages;
  const each = tokensOf('/v1/chat/completions', { messages: [one] }) - 8;
  const all = tokensOf('/v1/chat/completions', { messages });
  assert.ok(Math.abs(all / (20_000 * each) - 1) < 0.1, `${all} against ${each} each`);
});

test('a request in a shape that nobody foresaw is judged by its size', () => {
  const body = { data_9: text };
  assert.equal(tokensOf('/v1/score', body), Math.ceil(JSON.stringify(body).length / 2) + 1);
});

test('values of the wrong type are no reason to fail', () => {
  const odd: readonly unknown[] = [
    null,
    5,
    true,
    {},
    [],
    [null],
    [[]],
    { url: 5 },
    { content: { text: [1, 'a'] } },
    [{ image_url: {} }],
  ];
  const fields = [
    'messages',
    'prompt',
    'input',
    'query',
    'documents',
    'tools',
    'text_1',
    'suffix',
    'n',
    'logprobs',
  ];
  const paths = ['chat/completions', 'completions', 'responses', 'embeddings', 'rerank', 'score'];
  for (const path of paths) {
    for (const value of odd) {
      const body = Object.fromEntries(fields.map((field) => [field, value]));
      const { inputTokens, outputTokens } = estimator.estimate('m', body, 100, `/v1/${path}`);
      assert.ok(Number.isSafeInteger(inputTokens) && inputTokens >= 0);
      assert.ok(Number.isSafeInteger(outputTokens) && outputTokens >= 0);
    }
  }
});

const folder = fileURLToPath(new URL('../../fixtures/llama-server/', import.meta.url));

test('every recorded call is estimated, each image and prompt of it as whole numbers', () => {
  let seen = 0;
  for (const file of globSync(`${folder}*.req`)) {
    const [, path, json] = /UPSTREAM(\/v1\/\S+) .*? -d (\{.*\})/s.exec(readFileSync(file, 'utf8')) ?? [];
    if (path === undefined || json === undefined || basename(file) === 'err-badjson.req') continue;
    const { inputTokens, outputTokens } = estimator.estimate('m', JSON.parse(json), json.length, path);
    assert.ok(Number.isSafeInteger(inputTokens) && inputTokens > 0, file);
    assert.ok(Number.isSafeInteger(outputTokens) && outputTokens >= 0, file);
    seen += 1;
  }
  assert.ok(seen > 15, `${seen}`);
});
