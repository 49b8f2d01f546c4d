/** However the network cuts a JSON answer, the same bytes and the same usage come out of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonAnswer } from '../../src/upstream/json-answer.ts';
import { passThrough } from './support/json.ts';
import { everySplit, pick, type Random, randomSplit, seeded } from './support/splits.ts';
import { usage } from './support/sse.ts';

const asked = 'public/"näme"\\1';
const served = '/models/Long-"path" \\ of ü';
const hardText = 'ä€😀 "model":"x" \\" \\\\ "usage":{"prompt_tokens":9} {[}]';

/** An answer with its members in any order, compact or spaced, as the server and as the client name the model. */
function randomAnswer(random: Random): { sent: string; expected: string } {
  const [colon, comma] = pick(random, [
    [':', ','],
    [': ', ', '],
    ['\t:\r\n ', ' ,\n'],
  ]);
  const content = hardText.repeat(Math.floor(random() * 40));
  const members: [string, string][] = [
    ['id', '"chatcmpl-1"'],
    ['model', JSON.stringify(served)],
    ['choices', JSON.stringify([{ message: { content, model: 'x', usage: { prompt_tokens: 1 } } }])],
    ['usage', '{"prompt_tokens":7,"completion_tokens":30,"prompt_tokens_details":{"cached_tokens":4}}'],
    ['created', '1'],
    ['nothing', 'null'],
  ];
  members.sort(() => random() - 0.5);
  const write = (model: string) =>
    `{${members.map(([name, value]) => `"${name}"${colon}${name === 'model' ? JSON.stringify(model) : value}`).join(comma)}}`;
  return { sent: write(served), expected: write(asked) };
}

test('two hundred random answers, each in random pieces', () => {
  const random = seeded(1);
  for (let round = 0; round < 200; round += 1) {
    const { sent, expected } = randomAnswer(random);
    for (const pieceMax of [1, 5, 50, 5_000]) {
      const answer = passThrough(asked, randomSplit(random, Buffer.from(sent), pieceMax));
      assert.equal(answer.text, expected, `round ${round}, pieces of up to ${pieceMax}`);
      assert.deepEqual(answer.usage, usage(7, 30, 4));
      assert.equal(answer.complete, true);
    }
  }
});

test('one answer, at every place', () => {
  const { sent, expected } = randomAnswer(seeded(4));
  for (const pieces of everySplit(Buffer.from(sent))) {
    const answer = passThrough(asked, pieces);
    assert.equal(answer.text, expected);
    assert.deepEqual([answer.usage, answer.complete], [usage(7, 30, 4), true]);
  }
});

test('an answer that comes whole reads the same', () => {
  const random = seeded(2);
  for (let round = 0; round < 100; round += 1) {
    const { sent, expected } = randomAnswer(random);
    for (const [bytes, model] of [
      [sent, asked],
      [expected, asked],
      [sent, undefined],
    ] as const) {
      const answer = new JsonAnswer(model);
      assert.equal(answer.whole(Buffer.from(bytes)).toString(), model === undefined ? sent : expected);
      assert.deepEqual([answer.usage, answer.complete], [usage(7, 30, 4), true]);
    }
    const cut = new JsonAnswer(asked);
    cut.whole(Buffer.from(sent.slice(0, -1)));
    assert.equal(cut.complete, false);
  }
});
