/** Whatever the body and the policy: bytes, value and places agree, what no rule names keeps its bytes, twice is once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pick, type Random, seeded } from '../../upstream/support/splits.ts';
import { applied, bodyOf, policy } from './applied.ts';

const names = ['a', 'b"\\', 'n', 'ü', 'max_tokens', 'model', 'seed'] as const;
const values = [
  '1',
  '"x"',
  'null',
  '{"a":[1,{"b":"}"}]}',
  '[]',
  '1e2',
  '"\\"\\\\"',
  'true',
  '" , "',
] as const;

test('four hundred random bodies', () => {
  const random = seeded(20_261_121);
  for (let round = 0; round < 400; round += 1) {
    const text = randomBody(random);
    const rules = randomPolicy(random);
    const once = applied('/v1/completions', text, rules);
    assert.equal(applied('/v1/completions', once.text, rules).text, once.text, text);
    const before = bodyOf(text);
    const touched = new Set([...rules.removed, ...Object.keys(rules.forced), ...Object.keys(rules.caps)]);
    for (const [name, { start, end }] of before.members) {
      if (touched.has(name) || before.value[name] === null) continue;
      const after = once.body.members.get(name);
      assert.ok(after, `${name} is still there`);
      const kept = once.body.bytes.subarray(after.start, after.end).toString();
      assert.equal(kept, before.bytes.subarray(start, end).toString(), text);
    }
  }
});

function randomBody(random: Random): string {
  const space = () => pick(random, ['', ' ', '\n\t']);
  const members = shuffled(random, names)
    .slice(0, Math.floor(random() * 6))
    .map((name) => {
      // Half of the names are escaped, as JSON allows.
      const quoted = random() < 0.5 ? JSON.stringify(name) : `"${[...name].map(escaped).join('')}"`;
      const isTyped = ['n', 'max_tokens', 'model', 'seed'].includes(name);
      const value = isTyped ? pick(random, ['1', 'null', '7']) : pick(random, values);
      return `${space()}${quoted}${space()}:${space()}${value}${space()}`;
    });
  const prompt = `${space()}"prompt"${space()}:"Hi"`;
  return `${space()}{${shuffled(random, [prompt, ...members]).join(',')}}${space()}`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function randomPolicy(random: Random) {
  const some = () =>
    shuffled(
      random,
      names.filter((name) => name !== 'model'),
    ).slice(0, Math.floor(random() * 3));
  const removed = some();
  const rest = (given: readonly string[]) => given.filter((name) => !removed.includes(name as 'a'));
  const set = () => Object.fromEntries(rest(some()).map((name) => [name, pick(random, [1, 2, 3])]));
  return policy({ removed, forced: set(), defaults: set(), caps: set() });
}

function shuffled<One>(random: Random, given: readonly One[]): One[] {
  return given
    .map((one) => ({ one, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}
