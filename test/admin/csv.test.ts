import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCsv } from '../../src/admin/csv.ts';

const read = (text: string) => [...readCsv(text)];

test('fields come out as they were written: quotes, commas, line breaks, empty ones', () => {
  assert.deepEqual(read('a,b\r\n"x, ""y""\r\nz",\n,""'), [
    { line: 1, fields: ['a', 'b'] },
    { line: 2, fields: ['x, "y"\r\nz', ''] },
    { line: 4, fields: ['', ''] },
  ]);
});

test('empty lines are no records, and are counted as lines', () => {
  assert.deepEqual(read('\n\r\na,b\n\n'), [{ line: 3, fields: ['a', 'b'] }]);
});

test('a record with a misplaced quote is reported, and the next line is read', () => {
  const fault = 'a quote or a carriage return stands in the wrong place';
  for (const broken of ['a"b,c', '"a"b,c', 'a,"b" ,c', 'a\rb,c']) {
    assert.deepEqual(read(`${broken}\nd,e\n`), [
      { line: 1, fault },
      { line: 2, fields: ['d', 'e'] },
    ]);
  }
});

test('a quote that is never closed costs its own line only', () => {
  assert.deepEqual(read('a,"b\nc,d\n'), [
    { line: 1, fault: 'a quote is never closed' },
    { line: 2, fields: ['c', 'd'] },
  ]);
});

test('a megabyte of the worst kind is read in linear time', () => {
  for (const unit of ['"a""b\n', 'x"\n', '""x,"\n', '"""\n', '\n']) {
    const startedAtMs = performance.now();
    let records = 0;
    for (const _ of readCsv(`"x${unit.repeat(1_000_000 / unit.length)}`)) records += 1;
    assert.ok(records >= 0 && performance.now() - startedAtMs < 3_000, unit);
  }
});
