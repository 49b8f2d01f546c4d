/** What may answer in place of a model: in the order of the file, each once, and looked up only when it is asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Models } from '../../src/upstream/models.ts';
import { configured } from './support/configured.ts';

const given = configured({
  models: [
    { name: 'large', upstreams: ['a'], fallbacks: ['medium', 'small', 'gone'] },
    { name: 'medium', versions: [{ name: 'v1', upstreams: ['b'] }], fallbacks: ['tiny', 'small'] },
    { name: 'small', upstreams: ['c'] },
    { name: 'tiny', upstreams: ['c'] },
  ],
});

function fallbacksOf(models: Models, name: string): string[] {
  const model = models.resolve(name, 0, () => 0);
  return [...(model?.fallbacks(0, () => 0) ?? [])].map(({ pool }) => pool.name);
}

test('what stands in for a fallback comes before the next one, and none comes twice', () => {
  const models = new Models(given);
  assert.deepEqual(fallbacksOf(models, 'large'), ['medium@v1', 'tiny', 'small']);
  assert.deepEqual(fallbacksOf(models, 'medium@v1'), ['tiny', 'small']);
  assert.deepEqual(fallbacksOf(models, 'small'), []);
});

test('a circle that a listed model closes ends', () => {
  const models = new Models({
    ...given,
    models: given.models.map((model) =>
      model.name === 'small' ? { ...model, fallbacks: ['large'] } : model,
    ),
  });
  assert.deepEqual(fallbacksOf(models, 'large'), ['medium@v1', 'tiny', 'small']);
});

test('a call keeps the fallbacks that it began with', () => {
  const models = new Models(given);
  const large = models.resolve('large', 0, () => 0);
  models.prepare({ ...given, models: given.models.slice(0, 1) }).commit();
  assert.deepEqual(fallbacksOf(models, 'large'), []);
  assert.equal([...(large?.fallbacks(0, () => 0) ?? [])].length, 3);
});
