import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Candidate, chooseOfTwo } from '../../../src/upstream/choice/power-of-two.ts';
import { seeded } from '../support/splits.ts';

const CHOICES = 20_000;

function server(key: string, weight: number, load: number): Candidate {
  return { key, weight, load: () => load };
}

function shares(candidates: readonly Candidate[]): Record<string, number> {
  const random = seeded(3);
  const counts: Record<string, number> = {};
  for (let index = 0; index < CHOICES; index++) {
    const key = chooseOfTwo(candidates, random)?.key ?? '';
    counts[key] = (counts[key] ?? 0) + 1 / CHOICES;
  }
  return counts;
}

test('idle servers get the shares of their weights', () => {
  const { a = 0, b = 0, c = 0 } = shares([server('a', 1, 0), server('b', 3, 0), server('c', 6, 0)]);
  for (const [share, expected] of [
    [a, 0.1],
    [b, 0.3],
    [c, 0.6],
  ] as const) {
    assert.ok(Math.abs(share - expected) < 0.02, `${share}, expected ${expected}`);
  }
});

test('of two servers the one with less load for its weight is always chosen', () => {
  assert.deepEqual(Object.keys(shares([server('a', 1, 3), server('b', 2, 5)])), ['b']);
  assert.deepEqual(Object.keys(shares([server('a', 1, 2), server('b', 2, 5)])), ['a']);
});

test('the fullest server is never chosen', () => {
  assert.equal(shares([server('a', 1, 1), server('b', 1, 9), server('c', 1, 2)]).b, undefined);
});

test('no server attracts more than two draws give it, however empty it looks', () => {
  const pool = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((key) => server(key, 1, key === 'a' ? 0 : 50));
  const { a = 0 } = shares(pool);
  assert.ok(Math.abs(a - 2 / 8) < 0.02, `${a}`);
});

test('one candidate is chosen, none is not', () => {
  const only = server('a', 0.1, 1_000);
  assert.equal(chooseOfTwo([only], Math.random), only);
  assert.equal(chooseOfTwo([], Math.random), undefined);
});

test('the ends of the random numbers choose somebody', () => {
  const pool = [server('a', 0.1, 0), server('b', 0.2, 0), server('c', 0.3, 0)];
  for (const end of [0, 1 - 2 ** -53]) assert.ok(chooseOfTwo(pool, () => end));
});
