/** Who may use the admin API. Wire shapes are snake_case: record, answer and type are one thing with one set of names. */

/**
 * Each may do what those before it may. `viewer`: read everything but secrets; `operator`: keys, tenants, jobs, GPU
 * servers, webhooks; `owner`: admins, the configuration, the installation.
 */
export const adminRoles = ['viewer', 'operator', 'owner'] as const;

export type AdminRole = (typeof adminRoles)[number];

export interface AdminRecord {
  /** `adm_` + 12 characters. Public: it may stand in logs. */
  readonly id: string;
  readonly name: string;
  readonly role: AdminRole;
  readonly status: 'active' | 'disabled' | 'revoked';
  /** ISO 8601, UTC. */
  readonly created_at: string;
  readonly expires_at: string | null;
  /** When the newest secret was made. */
  readonly rotated_at: string | null;
  /** Grows with every change. */
  readonly revision: number;
}

/** Who does something now. */
export type Admin = Pick<AdminRecord, 'id' | 'name' | 'role'>;

/** Whoever has the token of the environment: an owner who needs no Redis and cannot be taken away there. */
export const rootAdmin: Admin = Object.freeze({ id: 'root', name: 'root', role: 'owner' });

export function mayActAs(held: AdminRole, needed: AdminRole): boolean {
  return adminRoles.indexOf(held) >= adminRoles.indexOf(needed);
}
