/** The bounds of a prompt: what it hardly ever exceeds, and what a caller may be refused on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Estimator, type PromptBounds } from '../../../src/admission/estimate/estimator.ts';
import { chatOf, estimateChat, type Kind, observed, prose, seeded, tokens } from './prose.ts';

const kinds = ['latin', 'cjk', 'code', 'cyrillic'] as const;

function boundsOf(estimator: Estimator, body: Record<string, unknown>): PromptBounds {
  return estimator.promptBounds('m', estimateChat(estimator, body)) as PromptBounds;
}

/** How prompts fell during `calls` calls from the first one on, in parts of all. */
function falls(calls: number, kindOf: (call: number) => Kind) {
  const random = seeded(11);
  const estimator = new Estimator(() => undefined);
  const fallen = { below: 0, above: 0 };
  for (let call = 0; call < calls; call += 1) {
    const text = prose(kindOf(call), 2_000 + Math.floor(random() * 6_000), random);
    const real = tokens(text) + 4;
    const estimate = estimateChat(estimator, chatOf(text));
    const { least, most } = estimator.promptBounds('m', estimate) as PromptBounds;
    if (real < least) fallen.below += 1;
    if (real > most) fallen.above += 1;
    estimator.learn('m', estimate, observed({ inputTokens: real }));
  }
  const { least, most } = boundsOf(estimator, chatOf(prose('latin', 8_000, random)));
  return { below: fallen.below / calls, above: fallen.above / calls, width: most / least };
}

for (const kind of kinds) {
  test(`${kind}: no prompt has less than its least, and one in twenty at most more than its most`, () => {
    const { below, above } = falls(1_500, () => kind);
    assert.equal(below, 0);
    assert.ok(above <= 0.05, `${above} above`);
  });
}

test('scripts in turn, and a change of script after a thousand calls, are covered as well', () => {
  for (const kindOf of [
    (call: number) => kinds[call % 4] as Kind,
    (call: number): Kind => (call < 1_000 ? 'latin' : 'cjk'),
  ]) {
    const { below, above } = falls(1_500, kindOf);
    assert.equal(below, 0);
    assert.ok(above <= 0.05, `${above} above`);
  }
});

test('the better the estimates were, the nearer a prompt comes before anybody is asked', () => {
  assert.ok(falls(0, () => 'latin').width > 2.9);
  assert.ok(falls(1_500, () => 'latin').width < 2.25);
});

test('however good they were, nothing is refused below twice the room', () => {
  const random = seeded(5);
  const estimator = new Estimator(() => undefined);
  for (let call = 0; call < 3_000; call += 1) {
    const estimate = estimateChat(estimator, chatOf(prose('latin', 3_000, random)));
    estimator.learn('m', estimate, observed({ inputTokens: estimate.inputTokens }));
  }
  const body = chatOf(prose('latin', 3_000, random));
  const { inputTokens } = estimateChat(estimator, body);
  const { least, most } = boundsOf(estimator, body);
  assert.ok(least <= inputTokens / 2, `${least} of ${inputTokens}`);
  assert.ok(most < inputTokens * 1.11, `${most} of ${inputTokens}`);
});

test('short prompts, whose template is most of them, say nothing of long ones', () => {
  const estimator = new Estimator(() => undefined);
  const long = chatOf('word '.repeat(1_000));
  const before = boundsOf(estimator, long);
  const estimate = estimateChat(estimator, chatOf('Hi'));
  estimator.learn('m', estimate, observed({ inputTokens: 14 }));
  const after = boundsOf(estimator, long);
  assert.ok(Math.abs(after.most / after.least - before.most / before.least) < 0.001);
});

test('tokens that were given as numbers are certain', () => {
  const estimator = new Estimator(() => undefined);
  const body = { prompt: Array<number>(500).fill(1) };
  const estimate = estimator.estimate('m', body, 1_000, '/v1/completions');
  assert.deepEqual(estimator.promptBounds('m', estimate), { least: 500, most: 500 });
});

test('what cannot be seen has no bounds', () => {
  const estimator = new Estimator(() => undefined);
  const part = { type: 'file', file: { file_id: 'f' } };
  const estimate = estimateChat(estimator, chatOf('', { messages: [{ role: 'user', content: [part] }] }));
  assert.equal(estimator.promptBounds('m', estimate), undefined);
});
