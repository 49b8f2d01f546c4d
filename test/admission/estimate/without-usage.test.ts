import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Estimator } from '../../../src/admission/estimate/estimator.ts';
import { chatOf, estimateChat, observed } from './prose.ts';

/** A model whose streams take 300 bytes a token, bodies 6, and which writes 50 tokens a second. */
function trained(): Estimator {
  const estimator = new Estimator(() => undefined);
  const estimate = estimateChat(estimator, chatOf('hi'));
  for (let call = 0; call < 200; call += 1) {
    const seen = { outputTokens: 100, elapsedMs: 2_000 };
    estimator.learn('m', estimate, observed({ ...seen, streamed: true, answerBytes: 30_512 }));
    estimator.learn('m', estimate, observed({ ...seen, streamed: false, answerBytes: 1_000 }));
  }
  return estimator;
}

const estimator = trained();

function estimateOf(more: Record<string, unknown> = {}) {
  return estimateChat(estimator, chatOf('Hello there, how are you?', more));
}

const nothing = { streamed: true, aborted: false, answerBytes: 0, elapsedMs: 0 };

test('bytes for each token and tokens a second are learned from calls that were counted', () => {
  assert.ok(Math.abs(estimator.bytesPerOutputToken('m') - 300) < 3);
  assert.ok(Math.abs(estimator.tokensPerSecond('m') - 50) < 1);
});

test('a stream that was not counted costs its prompt and its bytes', () => {
  const estimate = estimateOf();
  const usage = estimator.withoutUsage('m', { ...nothing, estimate, aborted: true, answerBytes: 15_512 }, 10);
  assert.equal(usage.inputTokens, estimate.inputTokens);
  assert.ok(Math.abs(usage.outputTokens - 50) <= 2, `${usage.outputTokens}`);
});

test('a stream never costs more than the request allowed', () => {
  const estimate = estimateOf({ max_tokens: 7, n: 2 });
  const usage = estimator.withoutUsage('m', { ...nothing, estimate, answerBytes: 1_000_000 }, 10);
  assert.equal(usage.outputTokens, 14);
});

test('a whole answer that was not counted costs its bytes', () => {
  const call = { ...nothing, estimate: estimateOf(), streamed: false, answerBytes: 1_000 };
  const { outputTokens } = estimator.withoutUsage('m', call, 10);
  assert.ok(Math.abs(outputTokens - 100) <= 4, `${outputTokens}`);
});

test('a whole answer that was aborted costs its time, at most what was reserved', () => {
  const call = { ...nothing, estimate: estimateOf(), streamed: false, aborted: true, elapsedMs: 1_000 };
  const { outputTokens } = estimator.withoutUsage('m', call, 256);
  assert.ok(Math.abs(outputTokens - 50) <= 2, `${outputTokens}`);
  assert.equal(estimator.withoutUsage('m', { ...call, elapsedMs: 60_000 }, 256).outputTokens, 256);
});

test('what writes no text costs its prompt alone, however it ended', () => {
  const estimate = estimator.estimate('m', { input: 'hi' }, 20, '/v1/embeddings');
  for (const aborted of [true, false]) {
    const call = { estimate, aborted, streamed: false, answerBytes: 50_000, elapsedMs: 5_000 };
    assert.equal(estimator.withoutUsage('m', call, 100).outputTokens, 0);
  }
});

test('log-probabilities are not taken for tokens', () => {
  const estimate = estimateOf({ logprobs: true, top_logprobs: 3 });
  const call = { ...nothing, estimate, answerBytes: 512 + 600 * 100 };
  const { outputTokens } = estimator.withoutUsage('m', call, 10);
  assert.ok(outputTokens > 80 && outputTokens < 120, `${outputTokens}`);
});

const usage = { inputTokens: 10, outputTokens: 100, cachedTokens: 4 };

test('of several choices all are charged though the server counted one', () => {
  const streamed = estimator.atLeastStreamed(usage, 2 * 512 + 200 * 300, 'm', estimateOf({ n: 2 }));
  assert.ok(Math.abs(streamed.outputTokens - 200) <= 4, `${streamed.outputTokens}`);
  assert.deepEqual({ ...streamed, outputTokens: 100 }, usage);
});

test('no more is charged than as if all choices were as long as the one that was counted', () => {
  const { outputTokens } = estimator.atLeastStreamed(usage, 10_000_000, 'm', estimateOf({ n: 3 }));
  assert.equal(outputTokens, 300);
});

test('a server that counted all choices is believed', () => {
  assert.equal(estimator.atLeastStreamed(usage, 2 * 512 + 110 * 300, 'm', estimateOf({ n: 2 })), usage);
});

test('a count of one choice is believed, however long its tokens were', () => {
  assert.equal(estimator.atLeastStreamed(usage, 10_000_000, 'm', estimateOf()), usage);
});

test('a stream that was counted as nothing is charged by its bytes', () => {
  const none = { ...usage, outputTokens: 0 };
  const { outputTokens } = estimator.atLeastStreamed(none, 30_512, 'm', estimateOf());
  assert.ok(Math.abs(outputTokens - 100) <= 2, `${outputTokens}`);
  assert.equal(estimator.atLeastStreamed(none, 300, 'm', estimateOf()), none);
});

test('a recorded server that counted one of two choices is found out', () => {
  const raw = readFileSync(
    new URL('../../fixtures/llama-server/chat-stream-n2.raw', import.meta.url),
    'latin1',
  );
  const counted = Number(/"completion_tokens":(\d+)/.exec(raw)?.[1] ?? 0);
  const chunks = [...raw.matchAll(/"delta":\{"content":/g)].length;
  const learner = new Estimator(() => undefined);
  assert.ok(chunks > counted, `${chunks} tokens streamed, ${counted} counted`);
  const estimate = estimateChat(learner, chatOf('Hello there', { n: 2, max_tokens: 100 }));
  const bytes = 2 * 512 + chunks * learner.bytesPerOutputToken('m');
  const told = { inputTokens: 85, outputTokens: counted, cachedTokens: 0 };
  assert.ok(learner.atLeastStreamed(told, bytes, 'm', estimate).outputTokens > counted);
});
