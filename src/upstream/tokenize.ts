/**
 * Asks a model's server how many tokens a prompt has.
 *
 * vLLM takes messages or a prompt at `/tokenize` and answers `{count, …, tokens}`. llama.cpp takes `{content}` there
 * and answers `{tokens}`; what it does not know it ignores, and counts nothing. It has no route that counts messages.
 */
import type { Dispatcher } from 'undici';
import { JsonScanner } from '../core/json-scan.ts';
import type { Upstream } from './upstream.ts';

/** A prompt as the caller has sent it: one text, or messages with what else the model's template reads. */
export type CountedPrompt =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'chat'; readonly fields: Readonly<Record<string, unknown>> };

interface Question {
  readonly upstream: Upstream;
  /** What the server calls the model. */
  readonly model: string;
  readonly prompt: CountedPrompt;
  readonly connectMs: number;
  /** The caller has left. */
  readonly signal: AbortSignal;
}

/** All of it: a call waits no longer for a number that its server will find out anyway. */
const TIME_LIMIT_MS = 1_000;
const REMEMBERED_MS = 60_000;
/** Some millions of tokens. */
const ANSWER_BYTES_MAX = 16_777_216;
const ANSWER_LIMITS = { depthMax: 8, valuesMax: ANSWER_BYTES_MAX };

/** Nobody has been admitted yet, so who is over his limits must not keep servers busy with counting. */
const UNDER_WAY_MAX = 32;

/** How a server counts. `none`: not at all, or not in time. */
type Manner = Asking | 'none';
type Asking = 'vllm' | 'llama';

/** `unanswered`: it says nothing of the server, only of this request. */
type Heard = { readonly manner: Manner; readonly count?: number | undefined } | 'unanswered';

export class TokenCounter {
  readonly #nowMs: () => number;
  readonly #manners = new WeakMap<Upstream, { readonly manner: Manner; readonly untilMs: number }>();

  #underWay = 0;

  /** @param nowMs monotonic */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Undefined where the server cannot say, or not within a second. Never rejects. */
  async count(question: Question): Promise<number | undefined> {
    const { upstream, prompt } = question;
    const known = this.#mannerOf(upstream);
    if (known === 'none' || (known === 'llama' && prompt.kind === 'chat')) return undefined;
    if (this.#underWay >= UNDER_WAY_MAX) return undefined;
    this.#underWay += 1;
    try {
      return await this.#ask(question, known);
    } finally {
      this.#underWay -= 1;
    }
  }

  async #ask(question: Question, known: Asking | undefined): Promise<number | undefined> {
    const { upstream, prompt, signal } = question;
    const within = AbortSignal.any([signal, AbortSignal.timeout(TIME_LIMIT_MS)]);
    const ask = async (asking: Asking) => {
      const heard = await hear({ ...question, signal: within }, asking);
      return signal.aborted ? 'unanswered' : heard;
    };
    const manner = known ?? 'vllm';
    const heard = await ask(manner);
    if (heard === 'unanswered') return undefined;
    this.#remember(upstream, heard.manner);
    if (heard.manner === manner) return heard.count;
    if (heard.manner !== 'llama' || prompt.kind !== 'text') return undefined;
    const again = await ask('llama');
    return again === 'unanswered' ? undefined : again.count;
  }

  #mannerOf(upstream: Upstream): Manner | undefined {
    const known = this.#manners.get(upstream);
    return known && this.#nowMs() < known.untilMs ? known.manner : undefined;
  }

  #remember(upstream: Upstream, manner: Manner): void {
    if (manner !== this.#mannerOf(upstream)) {
      this.#manners.set(upstream, { manner, untilMs: this.#nowMs() + REMEMBERED_MS });
    }
  }
}

async function hear(question: Question, manner: Asking): Promise<Heard> {
  const { upstream, signal, connectMs } = question;
  try {
    // On a connection of its own: nothing here is asked twice, so it must not meet one that is about to be closed.
    const answer = await upstream.freshConnections(connectMs).request({
      method: 'POST',
      path: `${upstream.basePath}/tokenize`,
      headers: ['content-type', 'application/json', ...upstream.authorization],
      body: JSON.stringify(questionBody(question, manner)),
      signal,
    });
    if (answer.statusCode === 200) return await readCount(answer.body);
    await answer.body.dump({ limit: ANSWER_BYTES_MAX });
    return blamesTheRequest(answer.statusCode) ? 'unanswered' : { manner: 'none' };
  } catch {
    return signal.aborted ? { manner: 'none' } : 'unanswered';
  }
}

function questionBody({ model, prompt }: Question, manner: Asking): Record<string, unknown> {
  if (prompt.kind === 'chat') return { add_generation_prompt: true, ...prompt.fields, model };
  return manner === 'vllm' ? { model, prompt: prompt.text } : { content: prompt.text, add_special: true };
}

function blamesTheRequest(status: number): boolean {
  return status === 400 || status === 413 || status === 422 || status === 429;
}

/** vLLM's number stands in front of tokens that are a megabyte and need not be parsed. */
async function readCount(body: Dispatcher.ResponseData['body']): Promise<Heard> {
  const scanner = new JsonScanner(ANSWER_LIMITS);
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > ANSWER_BYTES_MAX) return { manner: 'none' };
    pieces.push(piece);
    scanner.feed(piece);
    const member = scanner.members.get('count');
    if (!member) continue;
    const count = Number(Buffer.concat(pieces).toString('latin1', member.start, member.end));
    return Number.isSafeInteger(count) && count >= 0 ? { manner: 'vllm', count } : { manner: 'none' };
  }
  const tokens = tokensIn(Buffer.concat(pieces).toString('utf8'));
  return tokens ? { manner: 'llama', count: tokens.length } : { manner: 'none' };
}

function tokensIn(text: string): readonly unknown[] | undefined {
  try {
    const { tokens } = Object(JSON.parse(text)) as { tokens?: unknown };
    return Array.isArray(tokens) ? tokens : undefined;
  } catch {
    return undefined;
  }
}
