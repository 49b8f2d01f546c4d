/** Answers as they come out of the gateway's mapping with a suffix, and what a real server once answered. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { AnswerShape } from '../../../src/upstream/answer-source.ts';
import { jsonFor, streamFor } from '../../../src/upstream/suffix.ts';

type Pieces = readonly (Buffer | string)[];
type Shape = AnswerShape & { kind: 'openai' };

const untouched: Shape = {
  kind: 'openai',
  upstreamModel: 'm',
  model: undefined,
  dropUsageChunk: false,
  ending: 'done',
};

export function streamed(pieces: Pieces, suffix: string | undefined, shape: Partial<Shape> = {}) {
  const answer = streamFor({ ...untouched, ...shape, suffix });
  const given = pieces.map((piece) => Buffer.from(piece as string));
  const out = given.map((piece) => answer.push(piece));
  const text = Buffer.concat([...out, answer.end()].filter((one) => one !== undefined)).toString();
  const bytesIn = given.reduce((sum, piece) => sum + piece.length, 0);
  const { addedBytes, usage, complete, overflow, failure } = answer;
  return { text, addedBytes, bytesIn, usage, complete, overflow, failure };
}

export function whole(pieces: Pieces, suffix: string | undefined) {
  const answer = jsonFor({ ...untouched, suffix });
  const out = pieces.map((piece) => answer.push(Buffer.from(piece as string)));
  const text = Buffer.concat([...out, answer.end()].filter((one) => one !== undefined)).toString();
  const { addedBytes, usage, complete, overflow } = answer;
  return { text, addedBytes, usage, complete, overflow };
}

export interface Event {
  readonly type?: string;
  readonly choices?: readonly {
    readonly index: number;
    readonly text?: string;
    readonly delta?: { readonly role?: string; readonly content?: string | null };
    readonly finish_reason: string | null;
  }[];
  readonly [field: string]: unknown;
}

/** The JSON of all events, `[DONE]` not among them. */
export function eventsOf(text: string): Event[] {
  return text.split(/\r?\n\r?\n/).flatMap((event) => {
    const data = /^data: ?(.*)$/m.exec(event)?.[1];
    return data?.startsWith('{') ? [JSON.parse(data) as Event] : [];
  });
}

/** What each choice says in all, and how often it ends; nothing may come behind an end. */
export function choicesOf(text: string): { readonly text: string; readonly ends: number }[] {
  const choices: { text: string; ends: number }[] = [];
  for (const { choices: given = [] } of eventsOf(text)) {
    for (const { index, text: words, delta, finish_reason: reason } of given) {
      choices[index] ??= { text: '', ends: 0 };
      const choice = choices[index];
      const added = words ?? delta?.content ?? '';
      assert.ok(choice.ends === 0 || added === '', 'nothing is said behind the end');
      choice.text += added;
      if (reason !== null) choice.ends += 1;
    }
  }
  return choices;
}

/** The body of a recorded answer, without HTTP's own framing. */
export function recorded(name: string): string {
  const raw = readFileSync(new URL(`../../fixtures/llama-server/${name}.raw`, import.meta.url));
  const split = raw.indexOf('\r\n\r\n');
  const payload = raw.subarray(split + 4);
  if (!/transfer-encoding: chunked/i.test(raw.subarray(0, split).toString())) return payload.toString();
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = payload.indexOf('\r\n', at);
    const size = Number.parseInt(payload.subarray(at, lineEnd).toString(), 16);
    if (!size) return Buffer.concat(pieces).toString();
    pieces.push(payload.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
