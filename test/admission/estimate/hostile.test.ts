import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Estimator } from '../../../src/admission/estimate/estimator.ts';
import { chatOf, estimateChat, observed, prose, seeded, tokens } from './prose.ts';

/** Two hundred honest calls, and how long the text is to be judged by. */
function trained(random: () => number): Estimator {
  const estimator = new Estimator(() => undefined);
  for (let call = 0; call < 200; call += 1) honestCall(estimator, random);
  return estimator;
}

function honestCall(estimator: Estimator, random: () => number): void {
  const text = prose('latin', 2_000, random);
  estimator.learn('m', estimateChat(estimator, chatOf(text)), observed({ inputTokens: tokens(text) + 4 }));
}

/** The places that are looked at show harmless text; between them stands what costs a token a character. */
function hostileCall(estimator: Estimator, inputTokens: number): void {
  estimator.learn('m', estimateChat(estimator, chatOf('a'.repeat(100_000))), observed({ inputTokens }));
}

const judged = prose('latin', 4_000, seeded(99));

for (const [name, inputTokens] of [
  ['far too dear', 1_000_000],
  ['far too cheap', 1],
  ['beyond all numbers', Number.MAX_VALUE],
] as const) {
  test(`a single call that is ${name} moves what others are estimated by no more than 3 %`, () => {
    const estimator = trained(seeded(1));
    const before = estimateChat(estimator, chatOf(judged)).inputTokens;
    hostileCall(estimator, inputTokens);
    const after = estimateChat(estimator, chatOf(judged)).inputTokens;
    assert.ok(Math.abs(after / before - 1) <= 0.031, `${before} became ${after}`);
    assert.notEqual(after, before);
  });
}

test('a caller with every third call cannot move what others are estimated by more than 15 %', () => {
  const random = seeded(2);
  const estimator = trained(random);
  const real = tokens(judged) + 4;
  let worst = 0;
  for (let round = 0; round < 500; round += 1) {
    honestCall(estimator, random);
    honestCall(estimator, random);
    hostileCall(estimator, 1_000_000);
    if (round > 100) worst = Math.max(worst, estimateChat(estimator, chatOf(judged)).inputTokens / real);
  }
  assert.ok(worst < 1.15, `${worst} times`);
});

test('a model that is only asked absurd things stays within bounds', () => {
  const estimator = trained(seeded(3));
  for (let call = 0; call < 2_000; call += 1) hostileCall(estimator, 1e9);
  const { inputTokens } = estimateChat(estimator, chatOf(judged));
  assert.ok(inputTokens <= judged.length * 2 + 5_000, `${inputTokens} for ${judged.length} characters`);
});

test('numbers that are none teach nothing', () => {
  const estimator = new Estimator(() => undefined);
  const before = estimateChat(estimator, chatOf(judged));
  for (const absurd of [Number.NaN, Number.POSITIVE_INFINITY, -5]) {
    const seen = {
      inputTokens: absurd,
      outputTokens: absurd,
      gpuMs: absurd,
      elapsedMs: absurd,
      answerBytes: absurd,
    };
    estimator.learn('m', before, observed(seen));
  }
  const { inputTokens, outputTokens } = estimateChat(estimator, chatOf(judged));
  assert.deepEqual([inputTokens, outputTokens], [before.inputTokens, before.outputTokens]);
  assert.equal(estimator.gpuMs('m'), 1_000);
  assert.equal(estimator.bytesPerOutputToken('m'), 220);
});

const notAll: Readonly<
  Record<string, readonly [path: string, body: Record<string, unknown>, counted: number]>
> = {
  'a server that counts nothing': ['/v1/chat/completions', chatOf(judged), 0],
  'a server that counts one prompt of several': ['/v1/completions', { prompt: [judged, judged] }, 500],
  'an image of unknown size': [
    '/v1/chat/completions',
    { messages: [{ role: 'user', content: [{ image_url: { url: 'https://example.com/a.png' } }] }] },
    5_000,
  ],
  'a conversation that only the server knows': [
    '/v1/responses',
    { input: judged, previous_response_id: 'resp_1' },
    50_000,
  ],
};

for (const [name, [path, body, inputTokens]] of Object.entries(notAll)) {
  test(`${name} teaches nothing about prompts`, () => {
    const estimator = new Estimator(() => assert.fail('reported as an error of the estimate'));
    const estimate = estimator.estimate('m', { ...body, max_tokens: 0 }, 5_000, path);
    estimator.learn('m', estimate, observed({ inputTokens }));
    assert.equal(estimator.estimate('m', { ...body }, 5_000, path).inputTokens, estimate.inputTokens);
  });
}

test('only a thousand models are kept', () => {
  const estimator = new Estimator(() => undefined);
  const estimate = estimateChat(estimator, chatOf('hi'));
  for (let at = 0; at <= 1_000; at += 1) estimator.learn(`m${at}`, estimate, observed({ gpuMs: 2_000 }));
  assert.equal(estimator.gpuMs('m0'), 1_000);
  assert.notEqual(estimator.gpuMs('m1'), 1_000);
});
