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

export function limitsOfModel({ models }: Allowance, model: string): Limits | undefined {
  return models === null || Array.isArray(models) || !Object.hasOwn(models, model)
    ? undefined
    : (models as Readonly<Record<string, Limits>>)[model];
}

export function isModelAllowed({ models }: Allowance, model: string): boolean {
  if (models === null) return true;
  return Array.isArray(models) ? models.includes(model) : Object.hasOwn(models, model);
}
