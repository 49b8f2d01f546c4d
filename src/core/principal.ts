import type { Allowance } from './limits.ts';

/**
 * Who may call. Wire shapes are snake_case and used as they are: a stored record, the admin API's answer and
 * the type are one thing with one set of names.
 */

/** 1–64 of letters, digits and `._@+-`, beginning with a letter or digit: it becomes part of Redis keys. */
export const tenantNamePattern = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/;

export type KeyStatus = 'active' | 'disabled' | 'revoked';

export interface KeyRecord extends Allowance {
  /** `key_` + 12 characters. Public: it may stand in logs. */
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly status: KeyStatus;
  /** How the secret came about: made here, brought along, or named by `SLUICE_KEYS`. */
  readonly origin: 'generated' | 'imported' | 'environment';
  /** ISO 8601, UTC. */
  readonly created_at: string;
  readonly expires_at: string | null;
  /** When the newest secret was made; older ones live on until their overlap ends. */
  readonly rotated_at: string | null;
  /** Grows with every change. */
  readonly revision: number;
}

/** Who waits and who is sent away when all GPU servers of a model are full: the lowest first. */
export const tenantPriorities = ['low', 'normal', 'high'] as const;

export type TenantPriority = (typeof tenantPriorities)[number];

export interface TenantRecord extends Allowance {
  readonly name: string;
  readonly status: 'active' | 'disabled';
  /** Whether JSON answers carry `metadata`. */
  readonly answer_metadata: boolean;
  readonly priority: TenantPriority;
  readonly created_at: string;
  readonly revision: number;
}

/** A checked caller. */
export interface Principal {
  readonly keyId: string;
  readonly keyName: string;
  readonly tenant: string;
  readonly expiresAtMs: number;
  readonly ofKey: Allowance;
  /** A key never exceeds its tenant. */
  readonly ofTenant: Allowance;
  /**
   * The version of the tenant to which the two belong; it grows with every change of the tenant or of one of its
   * keys. Admission compares it, so that two replicas never run one bucket at two rates.
   */
  readonly version: number;
  /** Whether JSON answers carry `metadata`, as the tenant wants it. */
  readonly answerMetadata: boolean;
  /** Of the tenant: -1 low, 0 normal, 1 high. */
  readonly priority: number;
  /** When the holder's page of usage begins: creation of the key, ISO 8601. */
  readonly createdAt: string;
}
