import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Allowance,
  allowanceOf,
  changedAllowance,
  isModelAllowed,
  limitsOfModel,
  namesOfModels,
  noAllowance,
  noLimits,
} from '../../src/core/limits.ts';

const defaults: Allowance = {
  limits: {
    requests_per_minute: 100,
    tokens_per_minute: 1_000,
    max_concurrent: 4,
    burst_requests: 10,
    burst_tokens: 200,
  },
  quotas: allowanceOf({ quotas: [{ period: 'day', requests: 5 }] }).quotas,
  models: ['a'],
};

test('what is left out comes from the defaults, and null takes a limit away', () => {
  assert.deepEqual(allowanceOf({}, defaults), defaults);
  const { limits, quotas, models } = allowanceOf(
    { limits: { max_concurrent: null }, models: null },
    defaults,
  );
  assert.deepEqual(limits, { ...defaults.limits, max_concurrent: null });
  assert.deepEqual([quotas, models], [defaults.quotas, null]);
  assert.deepEqual(allowanceOf({}), noAllowance);
});

test('the burst of the defaults does not outlive their rate', () => {
  const { limits } = allowanceOf({ limits: { requests_per_minute: 1, tokens_per_minute: null } }, defaults);
  assert.deepEqual(limits, {
    ...noLimits,
    requests_per_minute: 1,
    max_concurrent: 4,
  });
});

test('a change replaces limits, quotas and models as a whole, and leaves what it does not name', () => {
  assert.deepEqual(changedAllowance(defaults, {}), defaults);
  const changed = changedAllowance(defaults, { limits: { tokens_per_minute: 7 }, quotas: [] });
  assert.deepEqual(changed, { limits: { ...noLimits, tokens_per_minute: 7 }, quotas: [], models: ['a'] });
});

test('a model is allowed by its name alone, and no name comes from the prototype of an object', () => {
  const byName = allowanceOf({ models: { a: { requests_per_minute: 5 }, b: {} } });
  for (const allowance of [allowanceOf({ models: ['a', 'b'] }), byName]) {
    assert.deepEqual(namesOfModels(allowance.models), ['a', 'b']);
    assert.deepEqual(
      ['a', 'b', 'c', 'constructor', '0'].map((model) => isModelAllowed(allowance, model)),
      [true, true, false, false, false],
    );
  }
  assert.equal(isModelAllowed(noAllowance, 'anything'), true);
  assert.deepEqual(limitsOfModel(byName, 'a'), { ...noLimits, requests_per_minute: 5 });
  assert.equal(limitsOfModel(byName, 'toString'), undefined);
});
