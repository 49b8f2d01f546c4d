/** What a probe asks of a GPU server, over HTTP. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import got, { RequestError } from 'got';
import type { Upstream } from '../upstream.ts';
import type { ProbeResult } from './server-health.ts';

/** `undecided`: it was this process that stood still, so the silence says nothing of the server. */
export type Heard = ProbeResult | 'undecided';

export type DiscoveredModels = ReadonlyMap<string, number | undefined>;

const LIST_TIMEOUT_MS = 1_500;
/** A probe that ends so much later than its limit was held up here. */
const STANDSTILL_MS = 250;
/** Names stand in records, separated by spaces. Any other name can be given to a model by configuration. */
const NAMEABLE = /^[\x21-\x7e]{1,256}$/;
/** A list of models is short; more is not one. */
const MODELS_MAX = 1_000;
const ANSWER_BYTES_MAX = 4_000_000;

/** Each question on a connection of its own: one that is kept could be dead, and its server well. */
const client = {
  retry: { limit: 0 },
  throwHttpErrors: false,
  followRedirect: false,
  agent: { http: new HttpAgent({ keepAlive: false }), https: new HttpsAgent({ keepAlive: false }) },
} as const;

/** One probe. Takes at most the limit of the server, and never rejects. */
export async function probe(upstream: Upstream, signal: AbortSignal): Promise<Heard> {
  const { path, timeoutMs, completionModel } = upstream.settings.healthCheck;
  const begunMs = performance.now();
  const leftMs = () => Math.max(1, timeoutMs - (performance.now() - begunMs));
  try {
    const { statusCode } = await ask(upstream, path, leftMs(), signal);
    // A plain server without such a path is well as long as it answers.
    if (statusCode >= 500) return 'bad';
    if (completionModel === undefined) return 'ok';
    const completion = await ask(upstream, '/v1/chat/completions', leftMs(), signal, {
      model: completionModel,
      messages: [{ role: 'user', content: 'ping' }],
      max_tokens: 1,
    });
    // A server that says that it has too much to do is alive.
    return completion.statusCode < 300 || completion.statusCode === 429 ? 'ok' : 'bad';
  } catch (error) {
    if (signal.aborted || performance.now() - begunMs > timeoutMs + STANDSTILL_MS) return 'undecided';
    return resultOfError(error);
  }
}

/** Undefined where it does not list any. */
export async function listModels(
  upstream: Upstream,
  signal: AbortSignal,
): Promise<DiscoveredModels | undefined> {
  try {
    const answer = await ask(upstream, '/v1/models', LIST_TIMEOUT_MS, signal);
    const { data } = JSON.parse(answer.body) as { data?: unknown };
    if (answer.statusCode !== 200 || !Array.isArray(data)) return undefined;
    return new Map(data.slice(0, MODELS_MAX).flatMap(listedModel));
  } catch {
    return undefined;
  }
}

async function ask(
  { origin, basePath, apiKey }: Upstream,
  path: string,
  timeoutMs: number,
  signal: AbortSignal,
  json?: object,
): Promise<{ readonly statusCode: number; readonly body: string }> {
  const tooLong = new AbortController();
  const answer = got(origin + basePath + path, {
    ...client,
    method: json ? 'POST' : 'GET',
    ...(json && { json }),
    headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
    timeout: { request: timeoutMs },
    signal: AbortSignal.any([signal, tooLong.signal]),
  });
  answer.on('downloadProgress', ({ transferred }) => {
    if (transferred > ANSWER_BYTES_MAX) tooLong.abort();
  });
  return answer;
}

const silent = /^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN)$/;
/** Something came that is no HTTP, or does not end. */
const senseless = /^(HPE_|ERR_ABORTED$)/;

function resultOfError(error: unknown): ProbeResult {
  const code = error instanceof RequestError ? error.code : '';
  if (silent.test(code)) return 'no_answer';
  return senseless.test(code) ? 'bad' : 'refused';
}

function listedModel(value: unknown): [string, number | undefined][] {
  if (typeof value !== 'object' || value === null) return [];
  const { id, max_model_len } = value as Record<string, unknown>;
  if (typeof id !== 'string' || !NAMEABLE.test(id)) return [];
  return [[id, typeof max_model_len === 'number' ? max_model_len : undefined]];
}
