/** What is where, and what a body must have to go there. */
import type { Answer } from './answer.ts';
import { chat } from './chat.ts';
import { completions } from './completions.ts';
import { embeddings } from './embeddings.ts';
import { maxTokensOf } from './generation.ts';
import type { Engine, Inquiry, Route } from './inquiry.ts';
import { predict } from './predict.ts';
import { rerank, score } from './ranking.ts';
import { badRequest, missingField } from './refusals.ts';
import { responses } from './responses.ts';
import { detokenize, tokenize } from './tokens.ts';

export interface Target {
  readonly route: Route;
  /** Fields that must be there. */
  readonly needs: readonly string[];
  /** What must fit the context of the model. */
  readonly context: 'nothing' | 'prompt' | 'prompt and answer';
}

export const postRoutes: ReadonlyMap<string, Target> = new Map<string, Target>([
  ['/v1/chat/completions', { route: chat, needs: ['messages'], context: 'prompt and answer' }],
  ['/v1/completions', { route: completions, needs: ['prompt'], context: 'prompt and answer' }],
  ['/v1/responses', { route: responses, needs: ['input'], context: 'prompt and answer' }],
  ['/v1/embeddings', { route: embeddings, needs: ['input'], context: 'prompt' }],
  ['/v1/rerank', { route: rerank, needs: ['query', 'documents'], context: 'prompt' }],
  ['/rerank', { route: rerank, needs: ['query', 'documents'], context: 'prompt' }],
  ['/v1/score', { route: score, needs: ['text_1', 'text_2'], context: 'prompt' }],
  ['/score', { route: score, needs: ['text_1', 'text_2'], context: 'prompt' }],
  ['/tokenize', { route: tokenize, needs: [], context: 'nothing' }],
  ['/detokenize', { route: detokenize, needs: ['tokens'], context: 'nothing' }],
  ['/predict', { route: predict, needs: [], context: 'nothing' }],
]);

/** The answer of a route, or the refusal of a request that does not fit it. */
export function answerOf({ route, needs, context }: Target, inquiry: Inquiry, engine: Engine): Answer {
  const { fields, promptTokens } = inquiry;
  for (const name of needs) if (fields[name] === undefined) return missingField(name);
  const { contextLength } = engine.settings;
  const answerTokens = context === 'prompt and answer' ? (maxTokensOf(fields) ?? 1) : 0;
  const total = promptTokens + answerTokens;
  if (context !== 'nothing' && total > contextLength) {
    return badRequest(
      `This model's maximum context length is ${contextLength} tokens. However, you requested ${total} tokens (${promptTokens} in the messages, ${answerTokens} in the completion). Please reduce the length of the messages or completion.`,
    );
  }
  return route(inquiry, engine);
}
