/** The system text stands in front of every prompt, whatever its shape, and the client's bytes behind it stay. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDED_BYTES_MAX, applied, type Path, policy, refusedBy } from './applied.ts';

const chat = '/v1/chat/completions';
const text = 'Be "brief".\nÄ';
const inJson = 'Be \\"brief\\".\\nÄ';
const rule = policy({ system_text: text });
const added = `{"role":"system","content":"${inJson}"}`;

const cases: readonly [path: Path, sent: string, arrives: string][] = [
  [
    chat,
    '{"messages":[{"role":"user","content":"\\u0048i"}]}',
    `{"messages":[${added},{"role":"user","content":"\\u0048i"}]}`,
  ],
  [
    chat,
    ' { "messages" : [ {"role":"user"} ] , "n":1.0 }',
    ` { "messages" : [ ${added},{"role":"user"} ] , "n":1.0 }`,
  ],
  [
    chat,
    '{"messages":[ {"role":"system","content":"Mine."}, {"role":"user","content":"\\u0048i"}]}',
    `{"messages":[ {"role":"system","content":"${inJson}\\n\\nMine."}, {"role":"user","content":"\\u0048i"}]}`,
  ],
  [
    chat,
    '{"messages":[{"content":"","role":"developer","name":"x"},{"role":"user","content":"a"}],"seed":7}',
    `{"messages":[{"content":"${inJson}","role":"developer","name":"x"},{"role":"user","content":"a"}],"seed":7}`,
  ],
  [
    chat,
    '{"messages":[{"role":"system","content":[{"type":"text","text":"Mine."}]}]}',
    `{"messages":[{"role":"system","content":[{"type":"text","text":"${inJson}"},{"type":"text","text":"Mine."}]}]}`,
  ],
  [
    chat,
    '{"messages":[{"role":"system","content":null}]}',
    `{"messages":[${added},{"role":"system","content":null}]}`,
  ],
  [
    chat,
    '{"messages":[{"role":"user","content":"a"},{"role":"system","content":"late"}]}',
    `{"messages":[${added},{"role":"user","content":"a"},{"role":"system","content":"late"}]}`,
  ],
  // Two readers could take two different ones of a doubled field: only one is left.
  [
    chat,
    '{"messages":[{"role":"system","content":"a","content":"b","x":"]}"},{"role":"user","content":"}]"}]}',
    `{"messages":[{"role":"system","content":"${inJson}\\n\\nb","x":"]}"},{"role":"user","content":"}]"}]}`,
  ],
  ['/v1/responses', '{"input":"Hi"}', `{"instructions":"${inJson}","input":"Hi"}`],
  ['/v1/responses', '{"instructions":null,"input":"Hi"}', `{"instructions":"${inJson}","input":"Hi"}`],
  [
    '/v1/responses',
    '{"input":"Hi","instructions":"Mine."}',
    `{"input":"Hi","instructions":"${inJson}\\n\\nMine."}`,
  ],
  ['/v1/completions', '{"prompt":"Hi"}', `{"prompt":"${inJson}\\n\\nHi"}`],
  ['/v1/completions', '{"prompt":["a","b"]}', `{"prompt":["${inJson}\\n\\na","${inJson}\\n\\nb"]}`],
  ['/v1/embeddings', '{"input":"Hi"}', '{"input":"Hi"}'],
  ['/v1/rerank', '{"query":"a","documents":["b"]}', '{"query":"a","documents":["b"]}'],
  ['/v1/score', '{"text_1":"a"}', '{"text_1":"a"}'],
];

for (const [path, sent, arrives] of cases) {
  test(`${path}: ${sent}`, () => assert.equal(applied(path, sent, rule).text, arrives));
}

test('the tenant’s text comes first, then the key’s, then the client’s, in one message', () => {
  const sent = '{"messages":[{"role":"system","content":"client"},{"role":"user","content":"Hi"}]}';
  const { body } = applied(chat, sent, policy({ system_text: 'key' }), policy({ system_text: 'tenant' }));
  const [first] = body.value.messages as { content: string }[];
  assert.equal(first?.content, 'tenant\n\nkey\n\nclient');
});

test('prompts that are no text are refused, and so are instructions that are none', () => {
  for (const prompt of ['[1,2]', '[[1,2]]', '["a",1]', '[null]', '{}', '7']) {
    const sent = `{"prompt":${prompt}}`;
    assert.deepEqual(refusedBy('/v1/completions', sent, rule), ['unsupported_parameter', 'prompt'], prompt);
  }
  const embeds = '{"prompt":"a","prompt_embeds":"AAAA"}';
  assert.deepEqual(refusedBy('/v1/completions', embeds, rule), ['unsupported_parameter', 'prompt_embeds']);
  for (const given of ['7', '[]', '{"a":1}', 'false']) {
    const sent = `{"input":"Hi","instructions":${given}}`;
    assert.deepEqual(refusedBy('/v1/responses', sent, rule), ['invalid_parameter', 'instructions'], given);
  }
  assert.equal(applied('/v1/completions', '{"prompt":[1,2]}', policy({})).text, '{"prompt":[1,2]}');
});

test('what many empty prompts would blow up to is refused before it is made', () => {
  const long = policy({ system_text: 'x'.repeat(32_768) });
  const prompts = (count: number) => JSON.stringify({ prompt: Array(count).fill('') });
  assert.deepEqual(refusedBy('/v1/completions', prompts(90_000), long), ['request_too_large', 'prompt']);
  const { body } = applied('/v1/completions', prompts(30), long);
  assert.ok(body.bytes.length < ADDED_BYTES_MAX);
});
