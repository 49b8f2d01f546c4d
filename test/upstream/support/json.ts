import { JsonAnswer, type LastMember } from '../../../src/upstream/json-answer.ts';

/** What came out of a JSON answer that came in these pieces. */
export function passThrough(
  model: string | undefined,
  pieces: readonly (Buffer | string)[],
  lastMember?: LastMember,
) {
  const answer = new JsonAnswer(model, lastMember);
  const out = pieces.map((piece) => answer.push(Buffer.from(piece as string)));
  const rest = answer.end();
  if (rest) out.push(rest);
  const { usage, edited, complete } = answer;
  return { text: Buffer.concat(out).toString(), usage, edited, complete };
}
