/** What the audit trail says of a write through the admin API. Ids, names and fields; never a secret. */
import type { AdminRole } from './admin.ts';

export interface AuditEntry {
  /** ISO 8601, by the clock of the gateway that did it. */
  readonly at: string;
  /** Id of the admin; `root` for the token of the environment. */
  readonly actor: string;
  /** Its name at that time. */
  readonly actor_name: string;
  readonly role: AdminRole;
  readonly address: string;
  readonly request_id: string;
  /** Such as `key.update`. */
  readonly action: string;
  /** `unknown`: Redis did not answer, so it may have been done; `refused`: the role does not suffice. */
  readonly outcome: 'done' | 'unknown' | 'refused';
  /** What it was done to, such as `{key, tenant}`. */
  readonly subject: Readonly<Record<string, string>>;
  /** By the path of the field; null where there was, or is, nothing. */
  readonly changes: Readonly<Record<string, FieldChange>>;
  /** Of things done together. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface FieldChange {
  readonly before: unknown;
  readonly after: unknown;
}

/** As it lies in Redis. */
export interface StoredAuditEntry extends AuditEntry {
  /** Its place in the trail: `<milliseconds>-<number>`, by Redis' clock. */
  readonly id: string;
}
