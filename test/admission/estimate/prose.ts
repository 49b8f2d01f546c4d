/** Texts of several kinds, the same in each run, and a tokenizer that nobody has told the estimator about. */
import type { Estimate, Estimator, Observation } from '../../../src/admission/estimate/estimator.ts';

export type Kind = 'latin' | 'cjk' | 'code' | 'cyrillic';

/** Numbers from 0 to below 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function prose(kind: Kind, length: number, random: () => number): string {
  let text = '';
  while (text.length < length) text += piece(kind, random);
  return text.slice(0, length);
}

function piece(kind: Kind, random: () => number): string {
  switch (kind) {
    case 'latin':
      return `${letters(0x61, 26, 2 + random() * 8, random)}${random() < 0.1 ? ', ' : ' '}`;
    case 'cyrillic':
      return `${letters(0x430, 32, 2 + random() * 8, random)} `;
    case 'cjk':
      return `${letters(0x4e00, 3_000, 3 + random() * 12, random)}${random() < 0.5 ? '，' : '。'}`;
    case 'code':
      return `${letters(0x61, 26, 2 + random() * 5, random)}[${Math.floor(random() * 999)}] = {"${letters(0x61, 26, 4, random)}": 0};\n`;
  }
}

function letters(from: number, count: number, length: number, random: () => number): string {
  let word = '';
  for (let at = 0; at < length; at += 1) word += String.fromCharCode(from + Math.floor(random() * count));
  return word;
}

/** Four Latin letters a token, 0.6 tokens for a Chinese sign, a token for each sign and for three digits. */
export function tokens(text: string): number {
  let sum = 0;
  for (const [run] of text.matchAll(
    / ?[a-z]+|\p{Script=Cyrillic}+|[\u3000-\u9fff\uff00-\uffef]+|\d{1,3}|\S/gu,
  )) {
    if (/^[a-z ]/.test(run)) sum += Math.ceil(run.length / 4);
    else if (/^\p{Script=Cyrillic}/u.test(run)) sum += Math.ceil(run.length / 2.5);
    else if (run.charCodeAt(0) >= 0x3000) sum += Math.ceil(run.length * 0.6);
    else sum += 1;
  }
  return sum;
}

export function chatOf(text: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { model: 'm', messages: [{ role: 'user', content: text }], ...more };
}

export function estimateChat(estimator: Estimator, body: Record<string, unknown>, model = 'm'): Estimate {
  return estimator.estimate(model, body, JSON.stringify(body).length, '/v1/chat/completions');
}

export function observed(seen: Partial<Observation> = {}): Observation {
  return {
    inputTokens: 10,
    outputTokens: 100,
    streamed: true,
    answerBytes: 20_000,
    elapsedMs: 1_000,
    gpuMs: 1_000,
    ...seen,
  };
}
