/**
 * What a key or a tenant may do in a time. Wire shapes: stored records, the admin API and the code share one set
 * of names. `null` means: not limited.
 */

/** Token buckets (rate and burst apart) and leased slots. */
export interface Limits {
  readonly requests_per_minute: number | null;
  /** Prompt and answer together. */
  readonly tokens_per_minute: number | null;
  /** Calls at the same time. */
  readonly max_concurrent: number | null;
  /** How many requests may come at once; null: as many as the limit of a minute. */
  readonly burst_requests: number | null;
  /** Likewise for tokens. */
  readonly burst_tokens: number | null;
}

export const noLimits: Limits = {
  requests_per_minute: null,
  tokens_per_minute: null,
  max_concurrent: null,
  burst_requests: null,
  burst_tokens: null,
};

/** In UTC; `total` never begins anew. */
export const quotaPeriods = ['minute', 'hour', 'day', 'month', 'total'] as const;
export type QuotaPeriod = (typeof quotaPeriods)[number];

export const quotaDimensions = ['requests', 'tokens', 'images', 'gpu_seconds', 'cost_usd'] as const;
export type QuotaDimension = (typeof quotaDimensions)[number];

/** A sum that may be used up within a period; at most one for each period. */
export interface Quota {
  readonly period: QuotaPeriod;
  readonly requests: number | null;
  readonly tokens: number | null;
  readonly images: number | null;
  readonly gpu_seconds: number | null;
  readonly cost_usd: number | null;
}

/** Public names of models; as a record also the limits for each, inside those of the key or tenant. null: all. */
export type ModelAccess = readonly string[] | Readonly<Record<string, Limits>> | null;

/** What a key or a tenant may use, beyond being active. */
export interface Allowance {
  readonly limits: Limits;
  readonly quotas: readonly Quota[];
  readonly models: ModelAccess;
}

export const noAllowance: Allowance = { limits: noLimits, quotas: [], models: null };

export function limitsOfModel({ models }: Pick<Allowance, 'models'>, model: string): Limits | undefined {
  return models === null || isList(models) || !Object.hasOwn(models, model) ? undefined : models[model];
}

export function isModelAllowed({ models }: Pick<Allowance, 'models'>, model: string): boolean {
  if (models === null) return true;
  return isList(models) ? models.includes(model) : Object.hasOwn(models, model);
}

/** As people write them: what is absent has been left out, null says not limited. */
export type GivenLimits = { readonly [Name in keyof Limits]?: Limits[Name] | undefined };

export type GivenQuota = Pick<Quota, 'period'> & {
  readonly [Dimension in QuotaDimension]?: number | null | undefined;
};

export type GivenModels = readonly string[] | Readonly<Record<string, GivenLimits>> | null;

export interface GivenAllowance {
  readonly limits?: GivenLimits | undefined;
  readonly quotas?: readonly GivenQuota[] | undefined;
  readonly models?: GivenModels | undefined;
}

/** What is left out is taken from `defaults`. A burst belongs to its rate: where the rate is given, both are. */
export function allowanceOf(given: GivenAllowance, defaults: Allowance = noAllowance): Allowance {
  return {
    limits: wholeLimits(given.limits ?? {}, defaults.limits),
    quotas: given.quotas?.map(wholeQuota) ?? defaults.quotas,
    models: given.models === undefined ? defaults.models : wholeModels(given.models),
  };
}

/** Each of the three that is given replaces the one before as a whole. */
export function changedAllowance(before: Allowance, { limits, quotas, models }: GivenAllowance): Allowance {
  return {
    limits: limits === undefined ? before.limits : wholeLimits(limits, noLimits),
    quotas: quotas === undefined ? before.quotas : quotas.map(wholeQuota),
    models: models === undefined ? before.models : wholeModels(models),
  };
}

function wholeLimits(given: GivenLimits, defaults: Limits): Limits {
  const requests = given.requests_per_minute === undefined ? defaults : noLimits;
  const tokens = given.tokens_per_minute === undefined ? defaults : noLimits;
  return {
    requests_per_minute: given.requests_per_minute ?? requests.requests_per_minute,
    tokens_per_minute: given.tokens_per_minute ?? tokens.tokens_per_minute,
    max_concurrent: given.max_concurrent === undefined ? defaults.max_concurrent : given.max_concurrent,
    burst_requests: given.burst_requests === undefined ? requests.burst_requests : given.burst_requests,
    burst_tokens: given.burst_tokens === undefined ? tokens.burst_tokens : given.burst_tokens,
  };
}

function wholeQuota({ period, requests, tokens, images, gpu_seconds, cost_usd }: GivenQuota): Quota {
  return {
    period,
    requests: requests ?? null,
    tokens: tokens ?? null,
    images: images ?? null,
    gpu_seconds: gpu_seconds ?? null,
    cost_usd: cost_usd ?? null,
  };
}

function wholeModels(given: GivenModels): ModelAccess {
  if (given === null || isList(given)) return given;
  return Object.fromEntries(
    Object.entries(given).map(([name, limits]) => [name, wholeLimits(limits, noLimits)]),
  );
}

/** The names of the models; undefined: all. */
export function namesOfModels(models: ModelAccess): readonly string[] | undefined {
  if (models === null) return undefined;
  return isList(models) ? models : Object.keys(models);
}

/** `Array.isArray` does not know read-only lists. */
function isList<Item, Other>(value: readonly Item[] | Other): value is readonly Item[] {
  return Array.isArray(value);
}
