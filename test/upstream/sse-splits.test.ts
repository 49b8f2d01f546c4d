/** However the network cuts a stream, the same bytes, usage and ending come out of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everySplit, pick, type Random, randomSplit, seeded } from './support/splits.ts';
import { passThrough, usage } from './support/sse.ts';

const asked = 'public/"näme"\\1';
const served = '/models/Long-"path" \\ of ü';
const shape = { model: asked, dropUsageChunk: true };

/** An event with the model's name, compact or as Python writes it. */
type Event = (model: string) => string;

function chunk(fields: string, spaced: boolean): Event {
  const colon = spaced ? ': ' : ':';
  return (model) => `data: {"id"${colon}"c","model"${colon}${JSON.stringify(model)},${fields}}`;
}

const hardText = JSON.stringify(
  'ä€😀 "model":"x" \\ "usage":{"prompt_tokens":9} data: [DONE]\n\n: no comment',
);

function randomEvent(random: Random): Event {
  const spaced = random() < 0.5;
  const content = `"choices":[{"index":0,"delta":{"content":${pick(random, ['"a"', hardText, '""'])}}}]`;
  return pick<Event>(random, [
    chunk(content, spaced),
    chunk(`${content},"usage":null`, spaced),
    chunk(`${content},"usage": {"prompt_tokens":7,"total_tokens":9,"completion_tokens":2}`, spaced),
    (model) => `event: token\nid: 7\n${chunk(content, spaced)(model)}`,
    () => ': ping',
    () => 'data: not json',
    () => 'event: nothing',
    () => `data:${JSON.stringify({ object: 'no model' })}`,
  ]);
}

function randomStream(random: Random): { sent: string; expected: string } {
  const lineEnd = pick(random, ['\n', '\r\n']);
  const events = Array.from({ length: 1 + Math.floor(random() * 12) }, () => randomEvent(random));
  const total = '"prompt_tokens":7,"completion_tokens":30,"prompt_tokens_details":{"cached_tokens":4}';
  const usageChunk = chunk(`"choices":[],"usage":{${total}}`, random() < 0.5);
  const write = (list: readonly Event[], model: string) =>
    list.map((event) => `${event(model)}\n\n`.replaceAll('\n', lineEnd)).join('');
  const done: Event = () => 'data: [DONE]';
  return { sent: write([...events, usageChunk, done], served), expected: write([...events, done], asked) };
}

test('two hundred random streams, each in random pieces', () => {
  const random = seeded(20_261_121);
  for (let round = 0; round < 200; round += 1) {
    const { sent, expected } = randomStream(random);
    for (const pieceMax of [1, 3, 17, 200, 5_000]) {
      const answer = passThrough(shape, randomSplit(random, Buffer.from(sent), pieceMax));
      assert.equal(answer.text, expected, `round ${round}, pieces of up to ${pieceMax}`);
      assert.deepEqual(answer.usage, usage(7, 30, 4));
      assert.equal(answer.complete, true);
    }
  }
});

test('three streams, at every place', () => {
  const random = seeded(3);
  for (let round = 0; round < 3; round += 1) {
    const { sent, expected } = randomStream(random);
    for (const pieces of everySplit(Buffer.from(sent))) {
      const answer = passThrough(shape, pieces);
      assert.equal(answer.text, expected);
      assert.deepEqual([answer.usage, answer.complete], [usage(7, 30, 4), true]);
    }
  }
});
