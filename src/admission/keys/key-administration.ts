/** What can be done to keys and tenants, and how it may end. */
import type { Refusal } from '../../core/errors.ts';
import type { GivenAllowance } from '../../core/limits.ts';
import type {
  KeyRecord,
  KeyStatus,
  OversizeDifferences,
  ShownKey,
  TenantRecord,
} from '../../core/principal.ts';
import type { ForeignForm } from '../../redis/key-records.ts';
import type { GivenLabels } from './key-fields.ts';
import type { ImportedRow, ImportRow } from './key-import.ts';
import type { GivenTerms } from './tenant-terms.ts';

export type { ForeignForm } from '../../redis/key-records.ts';
export type { ImportedRow, ImportRow } from './key-import.ts';

export type KeyResult<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly refusal: Refusal };

/** What is left out is filled in from `defaults.key`. */
export interface NewKey extends GivenAllowance, GivenLabels {
  readonly tenant: string;
  readonly name: string;
  /** ISO 8601. */
  readonly expires_at: string | null;
  readonly policy?: string | null | undefined;
  readonly oversize_rule?: OversizeDifferences | null | undefined;
}

/** Absent fields stay as they are. */
export interface KeyChanges extends GivenAllowance, GivenLabels {
  readonly name?: string | undefined;
  readonly expires_at?: string | null | undefined;
  readonly status?: 'active' | 'disabled' | undefined;
  readonly policy?: string | null | undefined;
  readonly oversize_rule?: OversizeDifferences | null | undefined;
}

/** What is left out is filled in from `defaults.tenant`. */
export interface NewTenant extends GivenTerms {
  readonly name: string;
  /** Default: none. */
  readonly email?: string | null | undefined;
}

/** Absent fields stay as they are. */
export interface TenantChanges extends GivenTerms {
  /** `disabled` refuses every key of the tenant. */
  readonly status?: TenantRecord['status'] | undefined;
  readonly email?: string | null | undefined;
}

export interface Page {
  /** 1–1,000. */
  readonly limit: number;
  /** `next_cursor` of the page before. */
  readonly cursor?: string | undefined;
}

/** Which keys a list shows; of all that is named, each has to fit. */
export interface KeyFilter {
  readonly tenant?: string | undefined;
  readonly tag?: string | undefined;
  readonly status?: KeyStatus | undefined;
  /** ISO 8601. */
  readonly created_before?: string | undefined;
  /** ISO 8601: made before that, and not used since. */
  readonly unused_since?: string | undefined;
}

export interface ChangedKey {
  readonly record: KeyRecord;
  /** As it was before: for the audit trail. */
  readonly before: KeyRecord;
}

export interface IssuedKey {
  readonly record: KeyRecord;
  /** The key itself, which nobody can show again. */
  readonly secret: string;
}

/**
 * Refusals: `not_found`, `invalid_parameter`, `conflict`, and `store_unavailable` (within 500 ms) after which a
 * change may or may not have been made. A change holds on every replica within a second.
 */
export interface KeyStore {
  create(wanted: NewKey): Promise<KeyResult<IssuedKey>>;
  get(id: string): Promise<KeyResult<{ readonly record: ShownKey }>>;
  /** Oldest first; a page may be shorter than its limit although more follow. */
  list(
    page: Page & KeyFilter,
  ): Promise<KeyResult<{ readonly records: readonly ShownKey[]; readonly next_cursor: string | null }>>;
  update(id: string, changes: KeyChanges): Promise<KeyResult<ChangedKey>>;
  /** The secret so far works for `overlap_seconds` more: 86,400 if not given, 0 ends it at once. */
  rotate(
    id: string,
    options?: { readonly overlap_seconds?: number | undefined },
  ): Promise<KeyResult<IssuedKey & ChangedKey>>;
  /** For good. */
  revoke(id: string): Promise<KeyResult<ChangedKey>>;
  /** A row that is refused does not stop the others. The form is declared for all replicas. */
  importKeys(
    rows: readonly ImportRow[],
    form: ForeignForm,
  ): Promise<KeyResult<{ readonly rows: readonly ImportedRow[] }>>;
  /** By name. */
  listTenants(
    page: Page,
  ): Promise<KeyResult<{ readonly tenants: readonly TenantRecord[]; readonly next_cursor: string | null }>>;
  getTenant(name: string): Promise<KeyResult<{ readonly tenant: TenantRecord }>>;
  /** A key that names a new tenant makes it too, by its seed if it has one. */
  createTenant(wanted: NewTenant): Promise<KeyResult<{ readonly tenant: TenantRecord }>>;
  updateTenant(
    name: string,
    changes: TenantChanges,
  ): Promise<KeyResult<{ readonly tenant: TenantRecord; readonly before: TenantRecord }>>;
}
