/** However a stream is cut into pieces, behind each of its events one can go on, and hears just the rest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Chunk, ChunkReader, readPlace } from '../../../src/http/jobs/chunk-place.ts';

const kinds = [
  'data: x\n\n',
  'data: a\r\ndata: b\r\n\r\n',
  ': comment\n\n',
  'event: e\nid: 1\ndata:y\n\n',
  'data: [DONE]\n\n',
];

test('in streams and cuts of all kinds', () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  let resumed = 0;
  for (let run = 0; run < 400; run += 1) {
    let text = '';
    for (let count = random(8); count > 0; count -= 1) text += kinds[random(kinds.length)];
    if (random(3) === 0) text += 'data: without an end';
    const pieces = cut(Buffer.from(text), () => 1 + random(12));
    const all = readAll(new ChunkReader(3, undefined), pieces);
    const expected = text
      .split(/\r?\n\r?\n/)
      .map((event) => event.split(/\r?\n/).filter((line) => line.startsWith('data:')))
      .map((lines) => lines.map((line) => line.slice('data:'.length).trimStart()))
      .filter((data) => data.length > 0 && data[0] !== '[DONE]');
    assert.deepEqual(
      all.map(({ data }) => data),
      expected,
    );
    assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
    for (const [index, { id }] of all.entries()) {
      const place = readPlace(id);
      assert.equal(place?.attempt, 3);
      assert.deepEqual(
        readAll(new ChunkReader(3, place), pieces),
        all.slice(index + 1),
        `${id} of ${JSON.stringify(text)}`,
      );
      resumed += 1;
    }
  }
  assert.ok(resumed > 500, `${resumed} resumptions`);
});

test('what is no id of ours is none', () => {
  for (const text of [
    undefined,
    '',
    '1.1',
    '0.1.1',
    '1.1.0',
    '1.1.1.1',
    '1.-1.1',
    '1e3.1.1',
    ' 1.1.1',
    '9'.repeat(20),
  ]) {
    assert.equal(readPlace(text), undefined);
  }
  assert.deepEqual(readPlace('2.0.1'), { attempt: 2, piece: 0, event: 1 });
});

function cut(bytes: Buffer, size: () => number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + size();
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

/** As from a table: by number, from the one that the reader wants. */
function readAll(reader: ChunkReader, pieces: readonly Buffer[]): Chunk[] {
  const chunks: Chunk[] = [];
  while (reader.next < pieces.length) chunks.push(...reader.push(pieces[reader.next] as Buffer));
  return [...chunks, ...reader.end()];
}
