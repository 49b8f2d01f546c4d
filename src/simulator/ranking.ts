/** POST /v1/rerank and /v1/score: how many words two texts share. */
import { type Answer, json } from './answer.ts';
import { type Engine, type Inquiry, usageOf } from './inquiry.ts';
import { isFields, listOf, stringOf, wholeOf } from './json.ts';

export function rerank({ fields, model, promptTokens }: Inquiry, engine: Engine): Answer {
  const query = textOf(fields.query);
  const documents = listOf(fields.documents).map(textOf);
  const results = documents
    .map((text, index) => ({ index, document: { text }, relevance_score: similarity(query, text) }))
    .sort((one, other) => other.relevance_score - one.relevance_score)
    .slice(0, wholeOf(fields.top_n, 1) ?? documents.length);
  return json(
    `{"id":"${engine.id('rerank-')}","model":${JSON.stringify(model)},"usage":{"prompt_tokens":${promptTokens},"total_tokens":${promptTokens}},"results":${JSON.stringify(results)}}`,
    { promptTokens },
  );
}

export function score({ fields, model, promptTokens }: Inquiry, engine: Engine): Answer {
  const left = Array.isArray(fields.text_1) ? fields.text_1 : [fields.text_1];
  const right = Array.isArray(fields.text_2) ? fields.text_2 : [fields.text_2];
  const data = right.map((text, index) => ({
    index,
    object: 'score',
    score: similarity(textOf(left.length === 1 ? left[0] : left[index]), textOf(text)),
  }));
  return json(
    `{"id":"${engine.id('score-')}","object":"list","created":${engine.created()},"model":${JSON.stringify(model)},"data":${JSON.stringify(data)},"usage":${usageOf(promptTokens, 0)}}`,
    { promptTokens },
  );
}

function textOf(value: unknown): string {
  if (isFields(value)) return textOf(value.text);
  return stringOf(value) ?? JSON.stringify(value ?? '');
}

/** Shared words by all words, 0 to 1. */
function similarity(one: string, other: string): number {
  const left = wordsOf(one);
  const right = wordsOf(other);
  const all = left.union(right).size;
  return all === 0 ? 0 : left.intersection(right).size / all;
}

function wordsOf(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
}
