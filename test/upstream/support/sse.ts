import { SseAnswer, type StreamShape } from '../../../src/upstream/sse.ts';

export const untouched: StreamShape = { model: undefined, dropUsageChunk: false, ending: 'done' };

/** What came out of a stream that came in these pieces. */
export function passThrough(shape: Partial<StreamShape>, pieces: readonly (Buffer | string)[]) {
  const answer = new SseAnswer({ ...untouched, ...shape });
  const out: Buffer[] = [];
  for (const piece of pieces) {
    // A copy: sockets hand out memory of their own, and what is held must not depend on its neighbours.
    const passed = answer.push(Buffer.from(piece as string));
    if (passed) out.push(passed);
  }
  const rest = answer.end();
  if (rest) out.push(rest);
  return { text: Buffer.concat(out).toString(), usage: answer.usage, complete: answer.complete };
}

export function usage(inputTokens: number, outputTokens: number, cachedTokens = 0) {
  return { inputTokens, outputTokens, cachedTokens };
}
