import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Estimator } from '../../../src/admission/estimate/estimator.ts';
import { chatOf, estimateChat, observed, seeded } from './prose.ts';

const fresh = () => new Estimator(() => undefined);

function expected(estimator: Estimator, more: Record<string, unknown>): number {
  return estimateChat(estimator, chatOf('hi', more)).outputTokens;
}

function answers(estimator: Estimator, count: number, tokensOf: () => number, more = {}): void {
  for (let call = 0; call < count; call += 1) {
    estimator.learn('m', estimateChat(estimator, chatOf('hi', more)), observed({ outputTokens: tokensOf() }));
  }
}

test('before anything is learned an answer is expected to take 256 tokens, or what the request allows', () => {
  assert.equal(expected(fresh(), {}), 256);
  assert.equal(expected(fresh(), { max_tokens: null }), 256);
  assert.equal(expected(fresh(), { max_tokens: -1 }), 256);
  assert.equal(expected(fresh(), { max_tokens: 10_000 }), 256);
  assert.equal(expected(fresh(), { max_tokens: 12 }), 12);
  assert.equal(expected(fresh(), { max_completion_tokens: 13 }), 13);
  assert.equal(expected(fresh(), { max_tokens: 99, max_completion_tokens: 14 }), 14);
});

test('each choice counts, and each of several prompts', () => {
  assert.equal(expected(fresh(), { max_tokens: 10, n: 3 }), 30);
  const completions = (body: Record<string, unknown>) =>
    fresh().estimate('m', { max_tokens: 10, ...body }, 100, '/v1/completions').outputTokens;
  assert.equal(completions({ prompt: 'a', n: 2, best_of: 4 }), 40);
  assert.equal(completions({ prompt: ['a', 'b'], n: 2 }), 40);
  assert.equal(completions({ prompt: [1, 2, 3] }), 10);
});

test('what writes no text is expected to write none', () => {
  for (const path of ['/v1/embeddings', '/v1/rerank', '/v1/score']) {
    const estimate = fresh().estimate('m', { input: 'a', query: 'b', documents: ['c'] }, 50, path);
    assert.equal(estimate.outputTokens, 0);
  }
});

test('four of five answers fit into what is reserved', () => {
  const random = seeded(5);
  const estimator = fresh();
  const length = () => Math.ceil(20 + 400 * random() ** 3);
  answers(estimator, 600, length);
  let fitting = 0;
  for (let call = 0; call < 1_000; call += 1) {
    const tokens = length();
    if (tokens <= expected(estimator, {})) fitting += 1;
    answers(estimator, 1, () => tokens);
  }
  assert.ok(fitting > 750 && fitting < 850, `${fitting} of 1000`);
});

test('a model with long answers is known after a hundred of them', () => {
  const estimator = fresh();
  answers(estimator, 100, () => 3_000);
  assert.ok(expected(estimator, {}) >= 2_900);
});

test('answers that were cut off by their own limit do not make longer ones seem rarer', () => {
  const estimator = fresh();
  answers(estimator, 500, () => 1, { max_tokens: 1 });
  assert.equal(expected(estimator, {}), 256);
});

test('a single answer moves the next reservation by no more than 3 %', () => {
  const estimator = fresh();
  answers(estimator, 1, () => 1_000_000);
  assert.ok(expected(estimator, {}) <= 264);
});

test('the time on the GPUs is reserved by the mean of the calls before', () => {
  const random = seeded(6);
  const estimator = fresh();
  const estimate = estimateChat(estimator, chatOf('hi'));
  for (let call = 0; call < 300; call += 1) {
    estimator.learn('m', estimate, observed({ gpuMs: 200 + 200 * random() }));
  }
  assert.ok(Math.abs(estimator.gpuMs('m') / 300 - 1) < 0.15, `${estimator.gpuMs('m')} of 300`);
  assert.equal(estimator.gpuMs('other'), 1_000);
});
