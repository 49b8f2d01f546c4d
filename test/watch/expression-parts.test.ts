/** Expressions of alerts are taken apart where they are silent as a whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricsIn, partsOf, withoutComparisons } from './support/expressions.ts';

test('what is held together by words is told apart, brackets and matchers are not', () => {
  const alert = '(a{x="p or q"} > 1 and rate(b[5m]) > 2 * c) or sum by (and) (d) == 0 unless (e)';
  assert.deepEqual(partsOf(alert), [
    'a{x="p or q"} > 1',
    'rate(b[5m]) > 2 * c',
    'sum by (and) (d) == 0',
    'e',
  ]);
  assert.deepEqual(partsOf('(a) / (b or c)'), ['(a) / (b or c)']);
});

test('a comparison becomes a sum, matchers stay', () => {
  const expr = 'count(up{job!="a", x=~">=1"} == 1) >= 2 * (b > 0)';
  assert.equal(withoutComparisons(expr), 'count(up{job!="a", x=~">=1"} + 1) + 2 * (b + 0)');
});

test('names of metrics are found among functions, labels and windows', () => {
  const expr =
    'histogram_quantile(0.9, sum by (le, model) (rate(sluice_x_bucket{a="b"}[1h] offset 1h))) or 3 * cluster:y:z';
  assert.deepEqual(metricsIn(expr), ['sluice_x', 'cluster:y:z']);
});
