/** The benchmark counts every answer and every token once, however the bytes are cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAnswerReader } from './answer-reader.ts';
import { createTokenReader } from './token-reader.ts';

const sized = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx-a: b\r\n\r\nhello';
const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n';

function answersIn(pieces: readonly Buffer[]): number {
  const answerEnds = createAnswerReader();
  return pieces.filter((piece) => answerEnds(piece)).length;
}

function cutAt(text: string, at: number): Buffer[] {
  return [Buffer.from(text.slice(0, at)), Buffer.from(text.slice(at))];
}

for (const [name, answer] of Object.entries({ sized, chunked })) {
  test(`a ${name} answer counts once, wherever it is cut`, () => {
    assert.equal(answersIn([Buffer.from(answer), Buffer.from(answer)]), 2);
    for (let at = 1; at < answer.length; at += 1) {
      assert.equal(answersIn([...cutAt(answer, at), Buffer.from(answer)]), 2, `cut at ${at}`);
    }
  });
}

test('an answer that is not a success ends the run', () => {
  const answerEnds = createAnswerReader();
  assert.throws(
    () => answerEnds(Buffer.from('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')),
    /502/,
  );
});

test('a token counts once with its time, wherever its stream is cut', () => {
  const stream = '{"content":"@0000001234567890"}\n\n{"content":"@0000001234567891"}\n\n';
  for (let at = 1; at < stream.length; at += 1) {
    const times: number[] = [];
    const read = createTokenReader((sentAt) => times.push(sentAt));
    for (const piece of cutAt(stream, at)) read(piece);
    assert.deepEqual(times, [1234567890, 1234567891], `cut at ${at}`);
  }
});
