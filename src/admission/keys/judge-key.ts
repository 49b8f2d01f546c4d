/** From a record to the verdict on whoever presents one of its secrets. Pure. */
import type { Allowance } from '../../core/limits.ts';
import type { Principal, TenantPriority } from '../../core/principal.ts';
import type { StoredKey } from '../../redis/key-records.ts';
import type { FoundKey } from '../../redis/key-table.ts';
import type { Verdict } from '../verdict.ts';
import type { CachedKey } from './key-cache.ts';
import { invalidKey } from './key-refusals.ts';

interface Judging {
  /** How long the record may serve while Redis is away. */
  readonly graceMs: number;
  /** For a tenant that has no record: that of a key which the environment names. */
  readonly defaultTenant: Allowance;
}

export function judgeKey(
  found: FoundKey,
  digest: string,
  askedAtMs: number,
  { graceMs, defaultTenant }: Judging,
): CachedKey {
  const { stored } = found;
  const expiresAtMs = endMs(stored.expires_at);
  const supersededAtMs = endMs(stored.secrets.find((secret) => secret.digest === digest)?.not_after ?? null);
  const refused = whyRefused(found, digest);
  return {
    digest,
    keyId: stored.id,
    tenant: stored.tenant,
    verdict: refused
      ? refuse(refused, stored)
      : { ok: true, principal: principalOf(found, expiresAtMs, defaultTenant) },
    endsAtMs: Math.min(expiresAtMs, supersededAtMs),
    verdictAfterEnd: refuse(expiresAtMs <= supersededAtMs ? 'expired' : 'superseded', stored),
    fetchedAtMs: askedAtMs,
    graceMs,
    retryAtMs: 0,
    stale: false,
    used: false,
  };
}

function whyRefused({ stored, tenant }: FoundKey, digest: string): string | undefined {
  if (stored.status !== 'active') return stored.status;
  // The pointer led here, but the record decides which secrets it has.
  if (!stored.secrets.some((secret) => secret.digest === digest)) return 'superseded';
  return tenant?.status === 'disabled' ? 'tenant disabled' : undefined;
}

function refuse(reason: string, stored: StoredKey): Verdict {
  return { ok: false, refusal: invalidKey(`${reason} ${stored.id}`) };
}

function principalOf(
  { stored, tenant, version }: FoundKey,
  expiresAtMs: number,
  defaultTenant: Allowance,
): Principal {
  return {
    keyId: stored.id,
    keyName: stored.name,
    tenant: stored.tenant,
    expiresAtMs,
    ofKey: stored,
    ofTenant: tenant ?? defaultTenant,
    version,
    answerMetadata: tenant?.answer_metadata ?? false,
    priority: rankOf(tenant?.priority),
    createdAt: stored.created_at,
  };
}

/** A word that only a newer release knows counts as normal. */
function rankOf(priority: TenantPriority | undefined): number {
  if (priority === 'high') return 1;
  return priority === 'low' ? -1 : 0;
}

/** A date that cannot be read has passed: doubt never lengthens the life of a key. */
function endMs(date: string | null): number {
  if (date === null) return Number.POSITIVE_INFINITY;
  return Date.parse(date) || 0;
}
