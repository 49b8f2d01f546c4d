/**
 * The response cache: answers of a model that a tenant's equal requests get again. A model opts in by `cache`, a request
 * by being deterministic or by `Cache-Control: max-age`. Two requests are equal when route, model, version and body are,
 * byte for byte.
 */
import type { AnswerTable, FoundAnswer, KeptAnswer } from '../redis/answer-table.ts';
import type { Model } from '../upstream/models.ts';
import { readCacheControl } from './cache-control.ts';
import type { Inference } from './exchange.ts';
import { digestOf } from './request-digest.ts';

/** What the cache may do for a request. */
export interface CachePlan {
  readonly digest: string;
  /** 0: none that is kept; the request wants a new one. */
  readonly ageMsMax: number;
  readonly lifetimeMs: number;
}

/** Undefined: the cache has no part in this request. */
export function cachePlan(
  { endpoint, body, model }: Inference & { readonly model: Model },
  cacheControl: string | undefined,
): CachePlan | undefined {
  const { cacheMs } = model;
  if (cacheMs === undefined) return undefined;
  const { noStore, noCache, maxAgeSeconds } = readCacheControl(cacheControl);
  const { value } = body;
  // Its answer depends on what the server remembers.
  const isContinued = (value.previous_response_id ?? value.conversation ?? null) !== null;
  if (noStore || isContinued) return undefined;
  // What does not generate text has nothing that is left to chance.
  const isDeterministic = endpoint.streams === 'never' || value.temperature === 0;
  const wantedMs = maxAgeSeconds === undefined ? undefined : maxAgeSeconds * 1_000;
  if (!isDeterministic && !wantedMs) return undefined;
  return {
    digest: digestOf(endpoint.path, model.name, model.version ?? '', body.bytes),
    ageMsMax: noCache ? 0 : Math.min(wantedMs ?? cacheMs, cacheMs),
    lifetimeMs: isDeterministic ? cacheMs : Math.min(wantedMs ?? cacheMs, cacheMs),
  };
}

/** Where the answer to a request for a model with a cache has come from: a label of metrics. */
export type CacheResult = 'hit' | 'miss' | 'shared' | 'bypass';

export class ResponseCache {
  readonly answerBytesMax: number;
  readonly #table: AnswerTable;
  readonly #tenantBytesMax: number;

  constructor(table: AnswerTable, bounds: { answerBytesMax: number; tenantBytesMax: number }) {
    this.#table = table;
    this.#tenantBytesMax = bounds.tenantBytesMax;
    this.answerBytesMax = bounds.answerBytesMax;
  }

  /** `away`: Redis did not say. */
  async read(tenant: string, { digest, ageMsMax }: CachePlan): Promise<FoundAnswer | 'none' | 'away'> {
    if (ageMsMax === 0) return 'none';
    const answer = await this.#table.read(tenant, digest, ageMsMax);
    return answer.ok ? (answer.value ?? 'none') : 'away';
  }

  /** Nobody waits for it, and nobody misses it where Redis is away. */
  async keep(tenant: string, { digest, lifetimeMs }: CachePlan, answer: KeptAnswer): Promise<void> {
    if (answer.body.length > this.answerBytesMax) return;
    await this.#table.keep(tenant, digest, answer, { lifetimeMs, tenantBytesMax: this.#tenantBytesMax });
  }
}
