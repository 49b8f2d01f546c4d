import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonScanner, splice } from '../../src/core/json-scan.ts';

const limits = { depthMax: 64, valuesMax: 100_000 };

function scan(text: string, pieceBytes = Number.POSITIVE_INFINITY) {
  const scanner = new JsonScanner(limits);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) scanner.feed(bytes.subarray(at, at + pieceBytes));
  return { scanner, bytes };
}

/** A small generator of JSON with everything that is awkward in strings and spacing. */
function random(seed: number) {
  let state = seed;
  const next = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const awkward = [
    '"',
    '\\',
    '\\"',
    '{',
    '}',
    ',',
    ':',
    '\n',
    'é',
    '漢字',
    '😀',
    'x'.repeat(70),
    '\\\\',
    ' ',
  ];
  const text = () => Array.from({ length: next(6) }, () => awkward[next(awkward.length)]).join('');
  const value = (depth: number): unknown => {
    const kind = next(depth > 4 ? 4 : 6);
    if (kind === 0) return text();
    if (kind === 1) return next(1000) - 500.5;
    if (kind === 2) return [true, false, null][next(3)];
    if (kind === 3) return `${text()}\\`;
    if (kind === 4) return Array.from({ length: next(4) }, () => value(depth + 1));
    return Object.fromEntries(Array.from({ length: next(4) }, (_, i) => [`${text()}${i}`, value(depth + 1)]));
  };
  return { next, value, text };
}

test('the bytes of every top-level member are found, whole and in pieces of any size', () => {
  for (let seed = 1; seed <= 400; seed += 1) {
    const { next, value, text } = random(seed);
    const object = Object.fromEntries(Array.from({ length: next(6) }, (_, i) => [`${text()}${i}`, value(0)]));
    const json = JSON.stringify(object, null, [undefined, 1, '\t'][next(3)]);
    for (const pieceBytes of [1, 2, 3, 7, 40, Number.POSITIVE_INFINITY]) {
      const { scanner, bytes } = scan(json, pieceBytes);
      assert.equal(scanner.fault, undefined);
      assert.deepEqual([...scanner.members.keys()], Object.keys(JSON.parse(json)));
      for (const [name, { start, end }] of scanner.members) {
        const slice = bytes.subarray(start, end).toString();
        assert.equal(slice, slice.trim());
        assert.deepEqual(JSON.parse(slice), object[name]);
      }
      assert.equal(scanner.rootEnd, bytes.lastIndexOf('}'));
    }
  }
});

test('depth, number of values and repeated members are bounded', () => {
  assert.equal(scan('['.repeat(64) + ']'.repeat(64)).scanner.fault, undefined);
  assert.equal(scan('['.repeat(65)).scanner.fault, 'too_deep');
  assert.equal(scan(`{"a":[${'0,'.repeat(100_001)}0]}`).scanner.fault, 'too_many_values');
  assert.equal(scan('{"model":"a","model":"b"}').scanner.fault, 'duplicate_member');
  assert.equal(scan('{"model":"a","mod\\u0065l":"b"}', 3).scanner.fault, 'duplicate_member');
  assert.equal(scan('{"a":{"model":"a"},"model":"b"}').scanner.fault, undefined);
  assert.equal(scan('{"__proto__":{}}').scanner.fault, 'member_name');
  assert.equal(scan(`{"${'k'.repeat(300)}":1}`, 9).scanner.fault, 'member_name');
});

test('a top-level array has no members', () => {
  assert.equal(scan('["model","x"]').scanner.members.size, 0);
});

test('twenty hostile megabytes are refused or scanned in a fraction of the time that parsing takes', () => {
  const hostile = Buffer.from(`[${'[],'.repeat(6_000_000)}[]]`);
  const long = Buffer.from(JSON.stringify({ text: 'word '.repeat(4_000_000) }));
  const measure = (bytes: Buffer, expected: string | undefined) => {
    const scanner = new JsonScanner(limits);
    const startedAt = performance.now();
    for (let at = 0; at < bytes.length && scanner.feed(bytes.subarray(at, at + 65_536)); at += 65_536);
    const tookMs = performance.now() - startedAt;
    assert.equal(scanner.fault, expected);
    return tookMs;
  };
  const refusedMs = measure(hostile, 'too_many_values');
  const scannedMs = measure(long, undefined);
  process.stdout.write(
    `refused in ${refusedMs.toFixed(1)} ms, 20 MB of text in ${scannedMs.toFixed(1)} ms\n`,
  );
  assert.ok(refusedMs < 60 && scannedMs < 180);
});

test('splices replace and insert, in any order', () => {
  const source = Buffer.from('{"model":"a","n":1}');
  const edits = [
    { start: 18, end: 18, bytes: Buffer.from(',"stream":true') },
    { start: 9, end: 12, bytes: Buffer.from('"long/path"') },
  ];
  assert.equal(splice(source, edits).toString(), '{"model":"long/path","n":1,"stream":true}');
});
