/** Places in JSON: where a value ends, and where the value at a path lies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endOfValue, locate } from '../../src/core/json-walk.ts';

const text = `{ "a" : [1 , {"b":"]}\\"", "\\u0063":[[],{}]} ,"x\\\\"],"d":-1.5e3,"e":"${'y'.repeat(50)}\\"${'z'.repeat(90)}","a2":null , "d":true}`;

test('every path leads to the bytes of its value, of a doubled name to the last', () => {
  const paths: [path: (string | number)[], value: unknown][] = [
    [['a'], [1, { b: ']}"', c: [[], {}] }, 'x\\']],
    [['a', 0], 1],
    [['a', 1, 'b'], ']}"'],
    [['a', 1, 'c', 0], []],
    [['a', 1, 'c', 1], {}],
    [['a', 2], 'x\\'],
    [['e'], `${'y'.repeat(50)}"${'z'.repeat(90)}`],
    [['a2'], null],
    [['d'], true],
  ];
  for (const [path, value] of paths) assert.deepEqual(valueAt(text, path), value, path.join('.'));
});

test('what is not there has no place', () => {
  for (const path of [['b'], ['a', 3], ['a', 'b'], ['d', 'x'], ['a', 0, 0], ['e', 0]]) {
    assert.equal(valueAt(text, path), undefined, path.join('.'));
  }
});

test('a walk over bytes that are no JSON ends', () => {
  for (const broken of [
    '{',
    '{"a',
    '{"a"',
    '{"a":',
    '[1,',
    '[,,,]',
    '{,}',
    '"\\',
    '[[[',
    '}',
    '{"a":}',
    '{"a" "b"}',
  ]) {
    const bytes = Buffer.from(broken);
    assert.ok(endOfValue(bytes, 0) <= Math.max(1, bytes.length));
    const all = { start: 0, end: bytes.length };
    for (const path of [['a'], [0], [5], ['a', 'b']]) locate(bytes, all, path);
  }
});

function valueAt(json: string, path: (string | number)[]): unknown {
  const bytes = Buffer.from(json);
  const place = locate(bytes, { start: 0, end: bytes.length }, path);
  return place && JSON.parse(bytes.toString('utf8', place.start, place.end));
}
