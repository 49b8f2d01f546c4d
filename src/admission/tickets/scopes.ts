/** From what a key and its tenant may use to the accounts that a call is charged to. Pure. */
import {
  type Allowance,
  type Limits,
  limitsOfModel,
  type Quota,
  quotaDimensions,
  quotaPeriods,
} from '../../core/limits.ts';
import { nanoFromUsd } from '../../core/money.ts';
import type { Principal } from '../../core/principal.ts';
import type { Bucket, Scope, ScopeQuota, ScopesOfCall } from '../../redis/ticket-table.ts';

/** Tenant and key always have an account; a model has one where it has limits of its own. */
export function scopesOf({ keyId, ofKey, ofTenant }: Principal, model: string): ScopesOfCall {
  const modelOfTenant = limitsOfModel(ofTenant, model);
  const modelOfKey = limitsOfModel(ofKey, model);
  return [
    wholeScope('tenant', ofTenant),
    wholeScope(`key:${keyId}`, ofKey),
    modelOfTenant && scope(`model:${model}`, modelOfTenant, []),
    modelOfKey && scope(`key:${keyId}:model:${model}`, modelOfKey, []),
  ];
}

/** The same for every call, as long as the principal lives. */
export class ScopeMemory {
  readonly #byPrincipal = new WeakMap<Principal, Map<string, ScopesOfCall>>();

  of(principal: Principal, model: string): ScopesOfCall {
    let byModel = this.#byPrincipal.get(principal);
    if (!byModel) {
      byModel = new Map();
      this.#byPrincipal.set(principal, byModel);
    }
    let scopes = byModel.get(model);
    if (!scopes) {
      scopes = scopesOf(principal, model);
      byModel.set(model, scopes);
    }
    return scopes;
  }
}

function wholeScope(name: string, { limits, quotas }: Allowance): Scope | undefined {
  if (quotas.length === 0 && Object.values(limits).every((limit) => limit === null)) return undefined;
  return scope(name, limits, quotas);
}

function scope(name: string, limits: Limits, quotas: readonly Quota[]): Scope {
  return {
    name,
    requests: bucket(limits.requests_per_minute, limits.burst_requests),
    tokens: bucket(limits.tokens_per_minute, limits.burst_tokens),
    slots: limits.max_concurrent ?? undefined,
    quotas: quotas.map(scopeQuota),
  };
}

function bucket(perMinute: number | null, burst: number | null): Bucket {
  return perMinute === null
    ? { perMinute: undefined, burst: undefined }
    : { perMinute, burst: burst ?? perMinute };
}

function scopeQuota(quota: Quota): ScopeQuota {
  return {
    period: quotaPeriods.indexOf(quota.period) + 1,
    max: quotaDimensions.map((dimension) => {
      const amount = quota[dimension];
      if (amount === null) return undefined;
      if (dimension === 'gpu_seconds') return Math.round(amount * 1_000);
      return dimension === 'cost_usd' ? nanoFromUsd(amount) : amount;
    }),
  };
}
