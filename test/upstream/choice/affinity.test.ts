import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseByAffinity, usualBound } from '../../../src/upstream/choice/affinity.ts';
import type { Candidate } from '../../../src/upstream/choice/power-of-two.ts';
import { mixBits } from '../../../src/upstream/choice/text-hash.ts';
import { seeded } from '../support/splits.ts';

const HASHES = 20_000;

function server(key: string, weight = 1, load = 0): Candidate {
  return { key, weight, load: () => load };
}

function places(candidates: readonly Candidate[]): string[] {
  return Array.from(
    { length: HASHES },
    (_, index) => chooseByAffinity(candidates, mixBits(index), usualBound)?.key ?? '',
  );
}

function shares(keys: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1 / keys.length;
  return counts;
}

function assertNear(actual: number | undefined, expected: number, label: string): void {
  assert.ok(Math.abs((actual ?? 0) - expected) < 0.02, `${label}: ${actual}, expected ${expected}`);
}

const five = ['gpu-0', 'gpu-1', 'gpu-2', 'gpu-3', 'gpu-4'].map((key) => server(key));

test('each server gets the share of its weight', () => {
  for (const share of Object.values(shares(places(five)))) assertNear(share, 1 / 5, 'equal weights');
  const uneven = shares(places([server('a', 1), server('b', 2), server('c', 5)]));
  assertNear(uneven.a, 1 / 8, 'a');
  assertNear(uneven.b, 2 / 8, 'b');
  assertNear(uneven.c, 5 / 8, 'c');
});

test('a server that goes away moves its own share only, evenly to all others', () => {
  const before = places(five);
  const after = places(five.filter(({ key }) => key !== 'gpu-2'));
  const moved = after.filter((_, index) => before[index] === 'gpu-2');
  for (const [index, key] of after.entries()) {
    if (before[index] !== 'gpu-2') assert.equal(key, before[index]);
  }
  const spread = shares(moved);
  assert.equal(Object.keys(spread).length, 4);
  for (const share of Object.values(spread)) assertNear(share, 1 / 4, 'of the moved');
});

test('a weight that grows moves beginnings to that server only', () => {
  const pool = (weight: number) => [server('a'), server('b'), server('c', weight)];
  const before = places(pool(0.1));
  const after = places(pool(0.5));
  for (const [index, key] of after.entries()) {
    if (key !== before[index]) assert.equal(key, 'c');
  }
  assertNear(shares(after).c, 0.5 / 2.5, 'c');
});

test('the order of the candidates does not matter', () => {
  assert.deepEqual(places([...five].reverse()), places(five));
});

test('a full server sends each beginning to one certain other', () => {
  for (let index = 0; index < 100; index++) {
    const hash = mixBits(index);
    const first = chooseByAffinity(five, hash, usualBound);
    const filled = five.map(({ key }) => server(key, 1, key === first?.key ? 40 : 10));
    const without = five.filter(({ key }) => key !== first?.key);
    assert.equal(
      chooseByAffinity(filled, hash, usualBound)?.key,
      chooseByAffinity(without, hash, usualBound)?.key,
    );
  }
});

test('there is always one that is not full, and it is under its bound', () => {
  const random = seeded(7);
  for (let round = 0; round < 20_000; round++) {
    const pool = Array.from({ length: 1 + Math.floor(random() * 8) }, (_, index) =>
      server(`gpu-${index}`, 0.05 + random() * 3, random() < 0.3 ? 0 : random() * 10 ** (3 * random())),
    );
    const chosen = chooseByAffinity(pool, mixBits(round), usualBound);
    assert.ok(chosen);
    const weights = pool.reduce((sum, { weight }) => sum + weight, 0);
    const calls = pool.reduce((sum, one) => sum + one.load(), 1);
    const fair = chosen.weight / weights;
    const bound = Math.ceil(fair * Math.max(usualBound.factor * calls, usualBound.floor * pool.length));
    assert.ok(chosen.load() < bound, `${chosen.load()} of ${bound}`);
  }
});

test('the call that is being placed counts in the mean', () => {
  const bound = { factor: 1.25, floor: 1 };
  // Of 8 calls each of five servers may have 2, of 9 it may have 3.
  const pool = five.map(({ key }, index) => server(key, 1, index < 4 ? 2 : 0));
  const chosen = Array.from({ length: 50 }, (_, index) => chooseByAffinity(pool, mixBits(index), bound)?.key);
  assert.equal(new Set(chosen).size, 5);
});

test('no candidates, no choice', () => {
  assert.equal(chooseByAffinity([], 1, usualBound), undefined);
});
