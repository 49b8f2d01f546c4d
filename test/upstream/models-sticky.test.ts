/** With `sticky: key` a key meets one version for good, and over many keys the weights hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Models } from '../../src/upstream/models.ts';
import { hashOf } from '../../src/upstream/version-choice.ts';
import { configured } from './support/configured.ts';

const KEYS = 20_000;
/** As key ids look: alike but for a few characters. */
const hashes = Array.from({ length: KEYS }, (_, index) =>
  hashOf(`key_${index.toString(36).padStart(12, '0')}`),
);

function versionsOf(weights: Record<string, number>, name = 'm') {
  const models = new Models(
    configured({
      models: [
        {
          name,
          sticky: 'key',
          versions: Object.entries(weights).map(([version, weight]) => {
            return { name: version, weight, upstreams: ['a'] };
          }),
        },
      ],
    }),
  );
  return hashes.map((hash) => models.resolve(name, hash, Math.random)?.version ?? 'none');
}

function shares(met: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const version of met) counts[version] = (counts[version] ?? 0) + 1 / met.length;
  return counts;
}

const moved = (before: readonly string[], after: readonly string[]) =>
  before.flatMap((version, index) => (version === after[index] ? [] : [[version, after[index] ?? '']]));

test('a key meets the same version each time, in every process', () => {
  const weights = { stable: 90, canary: 10 };
  assert.deepEqual(versionsOf(weights), versionsOf(weights));
});

test('over many keys each version has the share of its weight', (t) => {
  const weights = { stable: 90, canary: 7.5, trial: 2.5, hidden: 0 };
  const found = shares(versionsOf(weights));
  t.diagnostic(JSON.stringify(found));
  assert.equal(found.hidden, undefined);
  for (const [version, weight] of Object.entries(weights)) {
    const expected = weight / 100;
    const deviation = Math.sqrt((expected * (1 - expected)) / KEYS);
    assert.ok(Math.abs((found[version] ?? 0) - expected) <= 4 * deviation, version);
  }
});

test('a canary that grows takes keys from the others and moves no other key', (t) => {
  const before = versionsOf({ blue: 50, green: 45, canary: 5 });
  const after = versionsOf({ blue: 50, green: 45, canary: 15 });
  const changes = moved(before, after);
  t.diagnostic(`${((changes.length / KEYS) * 100).toFixed(2)} % of the keys moved`);
  assert.ok(changes.length > 0 && changes.every(([, to]) => to === 'canary'));
  assert.ok(changes.length / KEYS < 0.1);
});

test('the canaries of two models do not meet the same keys', () => {
  const weights = { stable: 90, canary: 10 };
  const [one, other] = [versionsOf(weights, 'm'), versionsOf(weights, 'n')];
  const both = one.filter((version, index) => version === 'canary' && other[index] === 'canary').length;
  assert.ok(Math.abs(both / KEYS - 0.01) < 0.004, `${both}`);
});

test('without sticky the weights hold over the calls of one key', () => {
  const models = new Models(
    configured({
      models: [
        {
          name: 'm',
          versions: [
            { name: 'stable', weight: 3, upstreams: ['a'] },
            { name: 'canary', weight: 1, upstreams: ['b'] },
          ],
        },
      ],
    }),
  );
  let drawn = 0;
  const evenly = () => (drawn++ % 1_000) / 1_000;
  const met = Array.from({ length: 1_000 }, () => models.resolve('m', 1, evenly)?.version ?? 'none');
  assert.deepEqual(
    Object.values(shares(met)).map((share) => Math.round(share * 1_000)),
    [750, 250],
  );
});
