import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Estimator } from '../../../src/admission/estimate/estimator.ts';
import { readEstimate, storedEstimate } from '../../../src/admission/jobs/stored-estimate.ts';

const image = { type: 'image_url', image_url: { url: 'https://images.example.com/a.png' } };
const text = { type: 'text', text: 'What is on it? 它是什么？ [1, 2, 3]' };
const bodies = [
  { messages: [{ role: 'user', content: 'Hello' }] },
  { messages: [{ role: 'user', content: [text, image, image] }], max_tokens: 50, n: 2, logprobs: true },
  { messages: [{ role: 'user', content: 'x' }], tools: [{ type: 'function', function: { name: 'f' } }] },
];

test('an estimate comes out of store as it went in, with all that settlement and learning need', () => {
  const estimator = new Estimator(() => undefined);
  for (const body of bodies) {
    const estimate = estimator.estimate('m', body, 500, '/v1/chat/completions');
    const read = readEstimate(JSON.parse(JSON.stringify(storedEstimate(estimate))));
    assert.deepEqual(read, estimate);
    assert.ok(read);
    assert.deepEqual(estimator.promptBounds('m', read), estimator.promptBounds('m', estimate));
  }
});

test('what is no estimate is not taken for one', () => {
  const estimate = new Estimator(() => undefined).estimate('m', bodies[0] ?? {}, 50, '/v1/chat/completions');
  const stored = storedEstimate(estimate);
  for (const wrong of [
    null,
    {},
    'text',
    { ...stored, input_tokens: -1 },
    { ...stored, pixels: ['large'] },
    { ...stored, counts: { ...stored.counts, letters: Number.NaN } },
    { ...stored, measurable: 1 },
  ]) {
    assert.equal(readEstimate(wrong), undefined, JSON.stringify(wrong));
  }
});
