/** An event without end cannot fill our memory, and a large stream of small events is no overflow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SseAnswer } from '../../src/upstream/sse.ts';
import { untouched } from './support/sse.ts';

const piece = Buffer.alloc(65_536, 'x');

test('an event over 4 MiB is given up', () => {
  const answer = new SseAnswer(untouched);
  answer.push(Buffer.from('data: '));
  let held = 0;
  while (!answer.overflow) {
    assert.equal(answer.push(piece), undefined);
    held += piece.length;
    assert.ok(held <= 4_194_304 + piece.length);
  }
});

test('an event just under 4 MiB passes', () => {
  const answer = new SseAnswer(untouched);
  for (let held = 0; held < 4_194_304 - piece.length; held += piece.length) answer.push(piece);
  assert.equal(answer.overflow, false);
  assert.ok((answer.push(Buffer.from('\n\n'))?.length ?? 0) > 4_000_000);
});

test('16 MiB of whole events pass, each piece at once', () => {
  const answer = new SseAnswer(untouched);
  const events = Buffer.from('data: {"choices":[{"delta":{"content":"a"}}]}\n\n'.repeat(1_000));
  for (let sent = 0; sent < 16_777_216; sent += events.length) assert.equal(answer.push(events), events);
  assert.equal(answer.overflow, false);
  assert.equal(answer.betweenEvents, true);
});
