/** Does a prompt fit the context of its model? Decided before admission, so that one which does not costs nothing. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Estimate, Estimator } from '../admission/estimate/estimator.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import { findRemoteMedia } from '../upstream/media.ts';
import type { Model } from '../upstream/models.ts';
import type { Router } from '../upstream/router.ts';
import type { CountedPrompt, TokenCounter } from '../upstream/tokenize.ts';
import type { Inference, Step } from './exchange.ts';
import { refusalOfError } from './faults.ts';
import type { Responder } from './respond.ts';

interface ContextParts {
  readonly estimator: Estimator;
  readonly router: Router;
  readonly tokenCounter: Pick<TokenCounter, 'count'>;
  readonly responder: Responder;
}

/** What has to fit: all that a request gives to read, or the longest of several texts, each of which stands alone. */
interface Longest {
  readonly param: string;
  readonly estimate: Estimate;
  /** Undefined where no server can count it. */
  readonly countable: CountedPrompt | undefined;
}

/**
 * 400 `context_length_exceeded`, for models whose context is known. The estimate decides where it is far from that;
 * near it the model's server is asked, and where that cannot say, the call goes on: the server knows best.
 * What an answer may take is the server's business, because servers differ in whether they shorten it.
 */
export function checkContextLength({ estimator, router, tokenCounter, responder }: ContextParts): Step {
  return (request, reply, next) => {
    const inference = request.inference as Inference & { model: Model };
    const { model, endpoint, body } = inference;
    const { contextLength } = model;
    if (contextLength === undefined) return next();
    const estimate = estimator.estimate(model.name, body.value, body.bytes.length, endpoint.path);
    inference.estimate = estimate;
    const roomTokens = endpoint.streams === 'never' ? contextLength : contextLength - 1;
    // Of several texts too: all together are more than the longest.
    const bounds = estimator.promptBounds(model.name, estimate);
    if (!bounds || bounds.most <= roomTokens || isShortened(body.value)) return next();
    const longest = longestOf(estimator, inference, estimate);
    const its = longest && estimator.promptBounds(model.name, longest.estimate);
    if (!longest || !its || its.most <= roomTokens) return next();
    if (its.least > roomTokens) {
      const about = `about ${longest.estimate.inputTokens}`;
      return responder.refuse(request, reply, tooLong(contextLength, longest.param, about));
    }
    countTokens({ router, tokenCounter }, model, longest.countable, reply).then(
      (tokens) => {
        if (reply.raw.destroyed) return;
        if (tokens !== undefined && tokens > roomTokens) {
          responder.refuse(request, reply, tooLong(contextLength, longest.param, String(tokens)));
          return;
        }
        if (tokens !== undefined && longest.estimate === estimate) reserve(inference, tokens);
        next();
      },
      (error) => responder.refuse(request, reply, refusalOfError(error)),
    );
  };
}

async function countTokens(
  { router, tokenCounter }: Pick<ContextParts, 'router' | 'tokenCounter'>,
  { pool, timeouts }: Model,
  prompt: CountedPrompt | undefined,
  { raw }: FastifyReply,
): Promise<number | undefined> {
  const choice = prompt && router.choose(pool, undefined, []);
  if (!choice || choice === 'full' || choice === 'none') return undefined;
  const { upstream, upstreamModel } = choice.member;
  const gone = new AbortController();
  raw.once('close', () => gone.abort());
  const connectMs = timeouts.connect_ms;
  return tokenCounter.count({ upstream, model: upstreamModel, prompt, connectMs, signal: gone.signal });
}

function reserve(inference: FastifyRequest['inference'] & object, inputTokens: number): void {
  const { estimate } = inference;
  if (estimate) inference.estimate = { ...estimate, inputTokens };
}

function tooLong(contextLength: number, param: string, tokens: string): Refusal {
  const message = `This model's maximum context length is ${contextLength} tokens, but '${param}' has ${tokens} tokens. Please reduce its length.`;
  return refusal('context_length_exceeded', message, { param });
}

/** The server is to cut what is too long, by vLLM's, OpenAI's or TEI's name for it. */
function isShortened({ truncate_prompt_tokens, truncation, truncate }: Inference['body']['value']): boolean {
  const isAsked = (value: unknown) => value !== undefined && value !== null && value !== false;
  return isAsked(truncate_prompt_tokens) || isAsked(truncate) || truncation === 'auto';
}

/** Undefined for pairs of texts, where servers differ in what they cut. */
function longestOf(estimator: Estimator, inference: Inference, estimate: Estimate): Longest | undefined {
  const { value } = inference.body;
  switch (inference.endpoint.path) {
    case '/v1/chat/completions':
      return { param: 'messages', estimate, countable: countableChat(value, estimate) };
    case '/v1/responses':
      return { param: 'input', estimate, countable: undefined };
    case '/v1/completions':
      return longestText(estimator, inference, estimate, 'prompt');
    case '/v1/embeddings':
      return Array.isArray(value.messages)
        ? { param: 'messages', estimate, countable: countableChat(value, estimate) }
        : longestText(estimator, inference, estimate, 'input');
    default:
      return undefined;
  }
}

function longestText(
  estimator: Estimator,
  { model, body, endpoint }: Inference,
  estimate: Estimate,
  param: 'prompt' | 'input',
): Longest | undefined {
  const { [param]: given, suffix } = body.value;
  if (!Array.isArray(given) || typeof given[0] === 'number') {
    const isPlain = typeof given === 'string' && typeof suffix !== 'string';
    return { param, estimate, countable: isPlain ? { kind: 'text', text: given } : undefined };
  }
  let longest: unknown;
  for (const one of given) if (lengthOf(one) > lengthOf(longest)) longest = one;
  if (longest === undefined) return undefined;
  return {
    param,
    estimate: estimator.estimate(model?.name ?? '', { [param]: longest }, 0, endpoint.path),
    countable: typeof longest === 'string' ? { kind: 'text', text: longest } : undefined,
  };
}

function lengthOf(text: unknown): number {
  return typeof text === 'string' || Array.isArray(text) ? text.length : 0;
}

/** All that a chat template reads. Undefined with images: servers count their places and not what they fill. */
function countableChat(body: Inference['body']['value'], { images }: Estimate): CountedPrompt | undefined {
  // No address reaches a server before it has been looked at.
  if (images.length > 0 || findRemoteMedia(body).length > 0) return undefined;
  const given = templateFields.flatMap((name) => (body[name] == null ? [] : [[name, body[name]]]));
  return { kind: 'chat', fields: Object.fromEntries(given) };
}

const templateFields = [
  'messages',
  'tools',
  'chat_template',
  'chat_template_kwargs',
  'add_generation_prompt',
  'continue_final_message',
  'add_special_tokens',
];
