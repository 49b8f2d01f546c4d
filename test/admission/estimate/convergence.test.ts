import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Estimator } from '../../../src/admission/estimate/estimator.ts';
import { chatOf, estimateChat, type Kind, observed, prose, seeded, tokens } from './prose.ts';

const TEMPLATE_TOKENS = 80;
const CALLS = 200;

/** The mean and the worst ratio of real to estimated tokens in the fifty calls after the first two hundred. */
function afterLearning(kinds: readonly Kind[], templateTokens: number, lengthMin = 200) {
  const random = seeded(7);
  const estimator = new Estimator(() => undefined);
  const ratios: number[] = [];
  for (let call = 0; call < CALLS + 50; call += 1) {
    const kind = kinds[call % kinds.length] as Kind;
    const text = prose(kind, lengthMin + Math.floor(random() * 6_000), random);
    const real = tokens(text) + templateTokens;
    const estimate = estimateChat(estimator, chatOf(text));
    if (call >= CALLS) ratios.push(real / estimate.inputTokens);
    estimator.learn('m', estimate, observed({ inputTokens: real }));
  }
  return Math.max(...ratios.map((ratio) => Math.abs(ratio - 1)));
}

for (const kind of ['latin', 'cjk', 'code', 'cyrillic'] as const) {
  test(`after 200 calls of ${kind} text each prompt is estimated within 10 %`, () => {
    const worst = afterLearning([kind], 4);
    assert.ok(worst < 0.1, `off by ${worst}`);
  });
}

test('after 200 calls in four scripts each prompt is estimated within 10 %', () => {
  const worst = afterLearning(['latin', 'cjk', 'code', 'cyrillic'], 4, 1_000);
  assert.ok(worst < 0.1, `off by ${worst}`);
});

test('a template that adds its own preamble is learned from short prompts', () => {
  const random = seeded(3);
  const estimator = new Estimator(() => undefined);
  let last = 0;
  for (let call = 0; call < CALLS; call += 1) {
    const text = prose('latin', 5 + Math.floor(random() * 60), random);
    const real = tokens(text) + TEMPLATE_TOKENS;
    const estimate = estimateChat(estimator, chatOf(text));
    last = real / estimate.inputTokens;
    estimator.learn('m', estimate, observed({ inputTokens: real }));
  }
  assert.ok(Math.abs(last - 1) < 0.1, `off by ${last}`);
});

test('a schema that the server keeps out of the prompt is learned to cost next to nothing', () => {
  const estimator = new Estimator(() => undefined);
  const schema = Object.fromEntries(
    Array.from({ length: 40 }, (_, at) => [`field_${at}`, { type: 'string' }]),
  );
  const format = { response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } };
  for (let call = 0; call < CALLS; call += 1) {
    for (const more of [format, {}]) {
      const estimate = estimateChat(estimator, chatOf('Hello there', more));
      estimator.learn('m', estimate, observed({ inputTokens: 20 }));
    }
  }
  const { inputTokens } = estimateChat(estimator, chatOf('Hello there', format));
  assert.ok(inputTokens <= 24, `${inputTokens} of 20`);
});

test('tokens of images are learned from their resolution', () => {
  const estimator = new Estimator(() => undefined);
  const image = (side: number) => {
    const header = Buffer.alloc(10);
    header.write('GIF89a', 'latin1');
    header.writeUInt16LE(side, 6);
    header.writeUInt16LE(side, 8);
    const part = {
      type: 'image_url',
      image_url: { url: `data:image/gif;base64,${header.toString('base64')}` },
    };
    return {
      model: 'm',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, part] }],
    };
  };
  let worst = 0;
  for (let call = 0; call < CALLS + 20; call += 1) {
    const side = 200 + ((call * 137) % 1_400);
    const real = 20 + Math.ceil((side * side) / 400);
    const estimate = estimateChat(estimator, image(side));
    if (call >= CALLS) worst = Math.max(worst, Math.abs(real / estimate.inputTokens - 1));
    estimator.learn('m', estimate, observed({ inputTokens: real }));
  }
  assert.ok(worst < 0.1, `off by ${worst}`);
});

test('each call reports how far its estimate was off', () => {
  const seen: [string, string, number][] = [];
  const estimator = new Estimator((...error) => void seen.push(error));
  const estimate = estimateChat(estimator, chatOf('Hello there', { max_tokens: 50 }));
  estimator.learn('m', estimate, observed({ inputTokens: 2 * estimate.inputTokens, outputTokens: 25 }));
  assert.deepEqual(seen, [
    ['m', 'input', 2],
    ['m', 'output', 0.5],
  ]);
});
