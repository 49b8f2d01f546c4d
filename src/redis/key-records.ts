/** What lies in Redis about keys, as JSON, beside the tenant's record. */
import { type Allowance, noAllowance, noLimits } from '../core/limits.ts';
import type { KeyRecord, TenantRecord } from '../core/principal.ts';

/** One secret of a key, as the record knows it. A secret that no record names does not work. */
export interface StoredSecret {
  readonly digest: string;
  /** ISO 8601; null: as long as the key. */
  readonly not_after: string | null;
}

export interface StoredKey extends KeyRecord {
  /** The newest first. */
  readonly secrets: readonly StoredSecret[];
}

/** Leads from a secret to its record; it grants nothing. */
export interface SecretPointer {
  readonly tenant: string;
  readonly key: string;
}

/** What all keys of an import look like. */
export type ForeignForm = { readonly prefix: string } | { readonly length: number };

/** Sent on `keys.invalidations()` in the same step as the change itself. */
export type Invalidation =
  | { readonly kind: 'key'; readonly tenant: string; readonly key: string }
  | { readonly kind: 'tenant'; readonly tenant: string }
  | { readonly kind: 'forms' };

/** Undefined for what this release does not understand, such as the message of a newer one. */
export function parseInvalidation(message: string): Invalidation | undefined {
  try {
    const { kind, tenant, key } = Object(JSON.parse(message));
    if (kind === 'forms') return { kind };
    if (typeof tenant !== 'string') return undefined;
    if (kind === 'tenant') return { kind, tenant };
    return kind === 'key' && typeof key === 'string' ? { kind, tenant, key } : undefined;
  } catch {
    return undefined;
  }
}

export function parseKey(text: string | null | undefined): StoredKey | undefined {
  return text == null ? undefined : withAllowance<StoredKey>(JSON.parse(text));
}

export function parseTenant(text: string | null | undefined): TenantRecord | undefined {
  return text == null ? undefined : withAllowance<TenantRecord>(JSON.parse(text));
}

/** Completes what an earlier release wrote, and keeps the fields of a newer one. */
function withAllowance<Stored extends Allowance>(stored: Stored): Stored {
  return { ...noAllowance, ...stored, limits: { ...noLimits, ...stored.limits } };
}
