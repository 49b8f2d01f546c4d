/** What lies in Redis about keys, as JSON, beside the tenant's record. */

import { type AccessRules, accessScopes, noAccessRules } from '../core/access.ts';
import {
  type Allowance,
  type Limits,
  type ModelAccess,
  namesOfModels,
  noAllowance,
  noLimits,
} from '../core/limits.ts';
import { type KeyRecord, type TenantRecord, usualJobTerms } from '../core/principal.ts';
import type { StoredSigningKey } from './signing-key-records.ts';

/** One secret of a key, as the record knows it. A secret that no record names does not work. */
export interface StoredSecret {
  readonly digest: string;
  /** ISO 8601; null: as long as the key. */
  readonly not_after: string | null;
}

export interface StoredKey extends KeyRecord {
  /** The newest first. */
  readonly secrets: readonly StoredSecret[];
  readonly signing_keys?: readonly StoredSigningKey[] | undefined;
}

/** Leads from a secret to its record; it grants nothing. */
export interface SecretPointer {
  readonly tenant: string;
  readonly key: string;
}

/** What all keys of an import look like. */
export type ForeignForm = { readonly prefix: string } | { readonly length: number };

/** Goes along with the message, because Redis may be gone before anybody has read the record. */
export interface Ended {
  readonly status: 'revoked' | 'disabled';
  readonly revision: number;
}

/** Sent on `keys.invalidations()` in the same step as the change itself. An earlier release does not say `ended`. */
export type Invalidation =
  | {
      readonly kind: 'key';
      readonly tenant: string;
      readonly key: string;
      readonly ended?: Ended | undefined;
    }
  | { readonly kind: 'tenant'; readonly tenant: string; readonly ended?: Ended | undefined }
  | { readonly kind: 'forms' };

/** Undefined for what this release does not understand, such as the message of a newer one. */
export function parseInvalidation(message: string): Invalidation | undefined {
  try {
    const { kind, tenant, key, ended: said } = Object(JSON.parse(message));
    if (kind === 'forms') return { kind };
    if (typeof tenant !== 'string') return undefined;
    const ended = isEnded(said) && { ended: said };
    if (kind === 'tenant') return { kind, tenant, ...ended };
    return kind === 'key' && typeof key === 'string' ? { kind, tenant, key, ...ended } : undefined;
  } catch {
    return undefined;
  }
}

function isEnded(said: unknown): said is Ended {
  const { status, revision } = Object(said);
  return (status === 'revoked' || status === 'disabled') && Number.isSafeInteger(revision);
}

/** Undefined for a record that is in force. */
export function endOf({ status, revision }: KeyRecord | TenantRecord): Ended | undefined {
  return status === 'active' ? undefined : { status, revision };
}

/**
 * A record as it is written. The release before limits takes `models` for a list of names, so it stays one, and what
 * limits they have stands beside it.
 */
export function recordText(record: StoredKey | TenantRecord): string {
  const names = namesOfModels(record.models);
  if (names === undefined || names === record.models) return JSON.stringify(record);
  return JSON.stringify({ ...record, models: names, model_limits: record.models });
}

export function parseKey(text: string | null | undefined): StoredKey | undefined {
  if (text == null) return undefined;
  const stored = withAllowance<StoredKey>(JSON.parse(text));
  return {
    ...stored,
    ...rulesOf(stored),
    note: stored.note ?? '',
    tags: stored.tags ?? [],
    scopes: stored.scopes ?? accessScopes,
    policy: stored.policy ?? null,
    oversize_rule: stored.oversize_rule ?? null,
  };
}

export function parseTenant(text: string | null | undefined): TenantRecord | undefined {
  if (text == null) return undefined;
  const stored = withAllowance<TenantRecord>(JSON.parse(text));
  return {
    ...stored,
    ...rulesOf(stored),
    email: stored.email ?? null,
    require_jwt: stored.require_jwt ?? false,
    policy: stored.policy ?? null,
    answer_metadata: stored.answer_metadata ?? false,
    show_attempts: stored.show_attempts ?? false,
    priority: stored.priority ?? 'normal',
    oversize: stored.oversize ?? usualJobTerms.oversize,
    over_limit: stored.over_limit ?? usualJobTerms.over_limit,
    hold_seconds: stored.hold_seconds ?? usualJobTerms.hold_seconds,
    weight: stored.weight ?? usualJobTerms.weight,
  };
}

function rulesOf(stored: AccessRules): AccessRules {
  return {
    allowed_addresses: stored.allowed_addresses ?? noAccessRules.allowed_addresses,
    require_signature: stored.require_signature ?? false,
    require_client_certificate: stored.require_client_certificate ?? false,
  };
}

type Written<Stored> = Stored & { readonly model_limits?: Readonly<Record<string, Limits>> };

/** Completes what an earlier release wrote, and keeps the fields of a newer one. */
function withAllowance<Stored extends Allowance>({ model_limits, ...stored }: Written<Stored>): Stored {
  return {
    ...noAllowance,
    ...(stored as unknown as Stored),
    limits: { ...noLimits, ...stored.limits },
    models: withLimits(stored.models ?? null, model_limits),
  };
}

/** An earlier release may have changed the names meanwhile. */
function withLimits(models: ModelAccess, limits: Readonly<Record<string, Limits>> | undefined): ModelAccess {
  const names = namesOfModels(models);
  if (names === undefined || limits === undefined) return models;
  return Object.fromEntries(
    names.map((name) => [name, { ...noLimits, ...(Object.hasOwn(limits, name) && limits[name]) }]),
  );
}
