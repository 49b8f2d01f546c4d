/** From a record to the verdict on whoever presents one of its secrets. Pure. */
import {
  type JobTerms,
  jobWays,
  type KeyUse,
  noPolicies,
  type Principal,
  type TenantPriority,
  type TenantTerms,
  usualJobTerms,
} from '../../core/principal.ts';
import type { StoredKey } from '../../redis/key-records.ts';
import type { FoundKey } from '../../redis/key-table.ts';
import { accessDemands } from '../access-demands.ts';
import type { Verdict } from '../verdict.ts';
import type { CachedKey } from './key-cache.ts';
import { invalidKey } from './key-refusals.ts';

export interface Judging {
  /** How long the record may serve while Redis is away. */
  readonly graceMs: number;
  /** For a tenant that has no record: that of a key which the environment names. */
  readonly termsWithoutRecord: (tenant: string) => TenantTerms;
  /** Where the use of a key is noted; undefined: nowhere. */
  readonly useOf: (tenant: string, keyId: string) => KeyUse | undefined;
}

export function judgeKey(
  found: FoundKey,
  digest: string,
  askedAtMs: number,
  { graceMs, termsWithoutRecord, useOf }: Judging,
): CachedKey {
  const { stored } = found;
  const expiresAtMs = endMs(stored.expires_at);
  const signingKey = stored.signing_keys?.find((one) => one.digest === digest);
  const secret = signingKey ?? stored.secrets.find((one) => one.digest === digest);
  const supersededAtMs = endMs(secret?.not_after ?? null);
  const refused = whyRefused(found, secret !== undefined);
  // A key that the environment names stands in no list.
  const noted = stored.origin === 'environment' ? undefined : useOf(stored.tenant, stored.id);
  return {
    digest,
    keyId: stored.id,
    tenant: stored.tenant,
    signingKey,
    verdict: refused
      ? refuse(refused, stored)
      : {
          ok: true,
          principal: principalOf(found, expiresAtMs, termsWithoutRecord, noted),
        },
    endsAtMs: Math.min(expiresAtMs, supersededAtMs),
    verdictAfterEnd: refuse(expiresAtMs <= supersededAtMs ? 'expired' : 'superseded', stored),
    fetchedAtMs: askedAtMs,
    graceMs,
    retryAtMs: 0,
    stale: false,
    used: false,
  };
}

/**
 * Whoever has shown a secret of the key earlier, such as the owner of a job: may he still call? What was demanded of
 * his calls was shown then.
 * @param use where his use is noted, if he calls right now
 */
export function judgeOwner(
  found: FoundKey,
  nowMs: number,
  termsWithoutRecord: Judging['termsWithoutRecord'],
  use?: KeyUse,
): Verdict {
  const { stored } = found;
  const expiresAtMs = endMs(stored.expires_at);
  const refused = whyEnded(found) ?? (nowMs < expiresAtMs ? undefined : 'expired');
  if (refused) return refuse(refused, stored);
  return { ok: true, principal: principalOf(found, expiresAtMs, termsWithoutRecord, use) };
}

function whyRefused(found: FoundKey, hasSecret: boolean): string | undefined {
  const { stored } = found;
  if (stored.status !== 'active') return stored.status;
  // The pointer led here, but the record decides which secrets it has.
  if (!hasSecret) return 'superseded';
  return whyEnded(found);
}

function whyEnded({ stored, tenant }: FoundKey): string | undefined {
  if (stored.status !== 'active') return stored.status;
  return tenant?.status === 'disabled' ? 'tenant disabled' : undefined;
}

function refuse(reason: string, stored: StoredKey): Verdict {
  return { ok: false, refusal: invalidKey(`${reason} ${stored.id}`) };
}

function principalOf(
  { stored, tenant, version }: FoundKey,
  expiresAtMs: number,
  termsWithoutRecord: Judging['termsWithoutRecord'],
  use: KeyUse | undefined,
): Principal {
  const terms = tenant ?? termsWithoutRecord(stored.tenant);
  return {
    keyId: stored.id,
    keyName: stored.name,
    tenant: stored.tenant,
    expiresAtMs,
    ofKey: stored,
    ofTenant: terms,
    version,
    answerMetadata: terms.answer_metadata,
    showAttempts: terms.show_attempts,
    policies: policiesOf(stored.policy, terms.policy),
    priority: rankOf(terms.priority),
    jobs: knownJobTerms(terms),
    oversizeRule: stored.oversize_rule,
    access: accessDemands(stored, terms),
    use,
    createdAt: stored.created_at,
  };
}

/** One that key and tenant share is applied once. */
function policiesOf(ofKey: string | null, ofTenant: string | null): readonly string[] {
  const names = [ofKey, ofTenant].filter((name) => name !== null);
  return names.length === 0 ? noPolicies : [...new Set(names)];
}

/** A word that only a newer release knows counts as normal. */
function rankOf(priority: TenantPriority): number {
  if (priority === 'high') return 1;
  return priority === 'low' ? -1 : 0;
}

/** Likewise, a way that only a newer release knows is the usual one. */
function knownJobTerms({ oversize, over_limit, hold_seconds, weight }: JobTerms): JobTerms {
  return {
    oversize: jobWays.includes(oversize) ? oversize : usualJobTerms.oversize,
    over_limit: jobWays.includes(over_limit) ? over_limit : usualJobTerms.over_limit,
    hold_seconds,
    weight,
  };
}

/** A date that cannot be read has passed: doubt never lengthens the life of a key. */
function endMs(date: string | null): number {
  if (date === null) return Number.POSITIVE_INFINITY;
  return Date.parse(date) || 0;
}
