/** What each rule of a policy makes of a request, operation by operation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Policy } from '../../../src/core/policy.ts';
import { applied, type Path, policy, refusedBy } from './applied.ts';

const chat = '/v1/chat/completions';
const completions = '/v1/completions';
const responses = '/v1/responses';
const embeddings = '/v1/embeddings';
const rerank = '/v1/rerank';
const score = '/v1/score';

/** The least that each operation takes. */
const substance: Record<Path, string> = {
  [chat]: '"messages":[{"role":"user","content":"Hi"}]',
  [completions]: '"prompt":"Hi"',
  [responses]: '"input":"Hi"',
  [embeddings]: '"input":"Hi"',
  [rerank]: '"query":"Hi","documents":["a"]',
  [score]: '"text_1":"a","text_2":"b"',
};

const generating = [chat, completions, responses] as const;
const silent = [embeddings, rerank, score] as const;

type Row = readonly [paths: readonly Path[], rules: Partial<Policy>, sent: string, arrives: string];

const rows: readonly Row[] = [
  // Parameters of any name.
  [generating, { defaults: { temperature: 0.5 } }, '', '"temperature":0.5,'],
  [generating, { defaults: { temperature: 0.5 } }, '"temperature":null,', '"temperature":0.5,'],
  [generating, { defaults: { temperature: 0.5 } }, '"temperature":0,', '"temperature":0,'],
  [generating, { defaults: { chat_template_kwargs: { a: [1] } } }, '', '"chat_template_kwargs":{"a":[1]},'],
  [generating, { forced: { temperature: 0 } }, '', '"temperature":0,'],
  [generating, { forced: { temperature: 0 } }, '"temperature" : 1.50 ,', '"temperature" : 0 ,'],
  [generating, { forced: { temperature: 0 } }, '"temperature":0.0,', '"temperature":0.0,'],
  [generating, { removed: ['logit_bias'] }, '"logit_bias":{"5":1},', ''],
  [generating, { removed: ['logit_bias'] }, '', ''],
  [generating, { caps: { n: 2 } }, '"n":5,', '"n":2,'],
  [generating, { caps: { n: 2 } }, '"n":2,', '"n":2,'],
  [generating, { caps: { n: 2 } }, '"n":null,', '"n":null,'],
  [generating, { caps: { n: 2 } }, '', ''],
  [generating, { caps: { top_k: 50 } }, '"top_k":"900",', '"top_k":50,'],
  [generating, { caps: { top_k: 50 } }, '"top_k":"12",', '"top_k":"12",'],
  [generating, { caps: { top_k: 50 } }, '"top_k":[900],', '"top_k":[900],'],
  // Nothing is added to operations that generate nothing.
  [silent, { defaults: { temperature: 0.5, max_tokens: 5 } }, '', ''],
  [silent, { forced: { temperature: 0.5, max_tokens: 5 } }, '', ''],
  [silent, { caps: { max_tokens: 5, n: 1 } }, '', ''],
  [silent, { forced: { user: 'all' } }, '"user":"me",', '"user":"all",'],
  [silent, { removed: ['user', 'max_tokens'] }, '"user":"me","max_tokens":5,', ''],
  [silent, { caps: { top_n: 2 } }, '"top_n":5,', '"top_n":2,'],
  // The length of the answer goes by the names of the operation.
  [[chat], { defaults: { max_tokens: 5 } }, '', '"max_tokens":5,'],
  [[chat], { defaults: { max_tokens: 5 } }, '"max_completion_tokens":7,', '"max_completion_tokens":7,'],
  [[chat], { forced: { max_tokens: 5 } }, '"max_completion_tokens":7,', '"max_completion_tokens":5,'],
  [
    [chat],
    { forced: { max_tokens: 5 } },
    '"max_completion_tokens":7,"max_tokens":3,',
    '"max_completion_tokens":5,"max_tokens":5,',
  ],
  [[chat], { caps: { max_tokens: 5 } }, '', '"max_tokens":5,'],
  [[chat], { caps: { max_tokens: 5 } }, '"max_completion_tokens":7,', '"max_completion_tokens":5,'],
  [[chat], { caps: { max_tokens: 5 } }, '"max_completion_tokens":3,', '"max_completion_tokens":3,'],
  [[chat], { caps: { max_tokens: 5 } }, '"max_tokens":null,', '"max_tokens":5,'],
  [[chat], { removed: ['max_tokens'] }, '"max_completion_tokens":7,"n_predict":3,', ''],
  [[completions], { defaults: { max_tokens: 5 } }, '', '"max_tokens":5,'],
  [[completions], { caps: { max_tokens: 5 } }, '"max_tokens":7,', '"max_tokens":5,'],
  [[responses], { defaults: { max_tokens: 5 } }, '', '"max_output_tokens":5,'],
  [[responses], { defaults: { max_tokens: 5 } }, '"max_output_tokens":7,', '"max_output_tokens":7,'],
  [[responses], { forced: { max_tokens: 5 } }, '"max_output_tokens":7,', '"max_output_tokens":5,'],
  [[responses], { forced: { max_tokens: 5 } }, '"max_tokens":7,', '"max_output_tokens":5,'],
  [[responses], { caps: { max_tokens: 5 } }, '', '"max_output_tokens":5,'],
  // Ways around a cap on it: "until the context ends", and the names of other servers.
  [[chat, completions], { caps: { max_tokens: 5 } }, '"max_tokens":-1,', '"max_tokens":5,'],
  [[chat], { caps: { max_tokens: 5 } }, '"max_tokens":1,"n_predict":9,', '"max_tokens":1,"n_predict":5,'],
  [[chat], { caps: { max_tokens: 5 } }, '"max_tokens":1,"n_predict":-1,', '"max_tokens":1,"n_predict":5,'],
  [[chat], { caps: { max_tokens: 5 } }, '"max_tokens":1,"n_predict":"9",', '"max_tokens":1,"n_predict":5,'],
  [[chat], { forced: { max_tokens: 5 } }, '"n_predict":9,', '"max_tokens":5,'],
];

for (const [paths, rules, sent, arrives] of rows) {
  for (const path of paths) {
    test(`${path}: ${JSON.stringify(rules)} makes {${sent}…} {${arrives}…}, and once more changes nothing`, () => {
      const once = applied(path, `{${sent}${substance[path]}}`, policy(rules));
      assert.equal(once.text, `{${arrives}${substance[path]}}`);
      assert.equal(applied(path, once.text, policy(rules)).text, once.text);
    });
  }
}

test('a body that no rule concerns is passed on itself', () => {
  const text = ` {\t"n" : 1.0, ${substance[chat]} }\n`;
  assert.equal(applied(chat, text, policy({ caps: { n: 1 }, removed: ['seed'] })).text, text);
});

test('the key’s policy comes first and the tenant’s behind it, so that the tenant has the last word', () => {
  const key = policy({ defaults: { seed: 1, top_p: 1 }, forced: { temperature: 2 }, caps: { n: 5 } });
  const tenant = policy({
    defaults: { seed: 2, top_k: 9 },
    forced: { temperature: 1 },
    caps: { n: 3, max_tokens: 4 },
    removed: ['top_p'],
  });
  const { body } = applied(chat, `{"n":8,"temperature":0,${substance[chat]}}`, key, tenant);
  const { messages: _, ...rest } = body.value;
  assert.deepEqual(rest, { n: 3, temperature: 1, seed: 1, top_k: 9, max_tokens: 4 });
});

test('model and default_model: what is forced counts, then what the client wants, then what is filled in', () => {
  const none = `{${substance[chat]}}`;
  const wants = `{"model":"mine",${substance[chat]}}`;
  const filled = policy({ default_model: 'filled' });
  const forced = policy({ model: 'forced' });
  const names = (text: string, ...policies: Policy[]) => applied(chat, text, ...policies).modelName;
  assert.equal(names(none, filled), 'filled');
  assert.equal(names(wants, filled), 'mine');
  assert.equal(names(`{"model":null,${substance[chat]}}`, filled), 'filled');
  assert.equal(names(none, forced), 'forced');
  assert.equal(names(wants, forced), 'forced');
  assert.equal(names(wants, policy({ model: 'of the key' }), forced), 'forced');
  assert.equal(names(none, filled, policy({ default_model: 'of the tenant' })), 'filled');
  assert.equal(names(none, policy({})), undefined);
});

test('hosts of media: the tenant’s, and of the key’s those that the tenant lists as well', () => {
  const hosts = (...lists: (string[] | undefined)[]) =>
    applied(chat, `{${substance[chat]}}`, ...lists.map((media_hosts) => policy({ media_hosts }))).mediaHosts;
  assert.equal(hosts(undefined, undefined), undefined);
  assert.deepEqual(hosts(['a.com'], undefined), ['a.com']);
  assert.deepEqual(hosts(undefined, ['a.com', 'b.com']), ['a.com', 'b.com']);
  assert.deepEqual(hosts(['A.com', 'c.com'], ['a.com', 'b.com']), ['A.com']);
  assert.deepEqual(hosts(['a.com'], []), []);
});

test('what a policy sets is held to the caps of the configuration', () => {
  const text = `{${substance[chat]}}`;
  assert.deepEqual(refusedBy(chat, text, policy({ forced: { n: 9 } })), ['invalid_parameter', 'n']);
  assert.deepEqual(refusedBy(chat, text, policy({ caps: { max_tokens: 100_001 } })), [
    'invalid_parameter',
    'max_tokens',
  ]);
});
