import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCsv } from '../../src/admin/csv.ts';
import { type Batch, type RowFormat, readBatches } from '../../src/cli/records.ts';

const limits = { rowsMax: 2, lengthMax: 1_000 };

async function batches(text: string, format: RowFormat, pieceLength: number): Promise<Batch[]> {
  async function* pieces() {
    for (let at = 0; at < text.length; at += pieceLength) yield text.slice(at, at + pieceLength);
  }
  return Array.fromAsync(readBatches(pieces(), format, limits));
}

test('a CSV is cut between records only, with the header before each batch and lines that add up', async () => {
  const text = 'key,tenant,name\nk1,t,"a\nb"\nk2,t,"say ""x"""\n\nk3,t,c\r\nk4,t,"d\n\ne"\nk5,t,f';
  for (const pieceLength of [1, 2, 3, 7, 1_000]) {
    const cut = await batches(text, 'csv', pieceLength);
    const seen = cut.flatMap(({ text: part, lineOffset }) => {
      return [...readCsv(part)].slice(1).map(({ line, ...rest }) => ({ line: line + lineOffset, ...rest }));
    });
    assert.deepEqual(seen, [...readCsv(text)].slice(1));
    assert.ok(cut.length > 2);
    assert.equal(cut.at(-1)?.lastLine, 10);
  }
});

test('records with misplaced quotes end where the admin API sees them end', async () => {
  const text = 'key,tenant\na"b,"t\n"c",t\n"d"x,"\n"e",t\n"f\ng",t\n';
  const cut = await batches(text, 'csv', 5);
  const seen = cut.flatMap(({ text: part, lineOffset }) => {
    return [...readCsv(part)].slice(1).map(({ line, ...rest }) => ({ line: line + lineOffset, ...rest }));
  });
  assert.deepEqual(seen, [...readCsv(text)].slice(1));
});

test('NDJSON is cut between lines, whatever the pieces in which it comes', async () => {
  const text = '{"a":1}\n{"a":2}\n\n{"a":3}\n{"a":4}';
  for (const pieceLength of [1, 5, 100]) {
    assert.deepEqual(await batches(text, 'ndjson', pieceLength), [
      { text: '{"a":1}\n{"a":2}\n', lineOffset: 0, lastLine: 2 },
      { text: '\n{"a":3}\n', lineOffset: 2, lastLine: 4 },
      { text: '{"a":4}\n', lineOffset: 4, lastLine: 5 },
    ]);
  }
});

test('a file without line breaks is refused before it fills the memory', async () => {
  await assert.rejects(batches('x'.repeat(3_000_000), 'ndjson', 65_536), /a line is longer/);
});
