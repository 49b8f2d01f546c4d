import type { AccessDemands, AccessRules, AccessScope } from './access.ts';
import type { Allowance } from './limits.ts';
import type { TokenSubject } from './token-subject.ts';

/**
 * Who may call. Wire shapes are snake_case and used as they are: a stored record, the admin API's answer and
 * the type are one thing with one set of names.
 */

/** 1–64 of letters, digits and `._@+-`, beginning with a letter or digit: it becomes part of Redis keys. */
export const tenantNamePattern = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/;

export type KeyStatus = 'active' | 'disabled' | 'revoked';

/** From where on a request is too large to be answered at once; false: never by that. */
export interface OversizeRule {
  /** Estimated, of the prompt. */
  readonly tokens: number | false;
  /** Of the body. */
  readonly bytes: number | false;
  /** In the prompt. */
  readonly images: number | false;
}

/** What differs from a more general rule; false: no request is oversized. */
export type OversizeDifferences =
  | false
  | { readonly [Bound in keyof OversizeRule]?: number | false | undefined };

export interface KeyRecord extends Allowance, AccessRules {
  /** `key_` + 12 characters. Public: it may stand in logs. */
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly status: KeyStatus;
  /** For people; '': none. */
  readonly note: string;
  /** By which people find it. */
  readonly tags: readonly string[];
  /** What it may be used for. */
  readonly scopes: readonly AccessScope[];
  /** Name of the policy of its calls, beside that of its tenant; null: none. */
  readonly policy: string | null;
  /** For its requests, what differs from the rule of their model; null: nothing. */
  readonly oversize_rule: OversizeDifferences | null;
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

/** A key as it is shown. */
export interface ShownKey extends KeyRecord {
  /** ISO 8601; null: never, as far as is known. About a minute late, and a replica that dies forgets its last one. */
  readonly last_used_at: string | null;
}

/** When a key was last used, through this replica. */
export interface KeyUse {
  /** Wall clock; 0: not yet. */
  lastAtMs: number;
}

/** Who waits and who is sent away when all GPU servers of a model are full: the lowest first. */
export const tenantPriorities = ['low', 'normal', 'high'] as const;

export type TenantPriority = (typeof tenantPriorities)[number];

/** What becomes of a call that is too large for a held connection, or over a limit; see `JobTerms`. */
export const jobWays = ['hold', 'async', 'reject'] as const;

export type JobWayWanted = (typeof jobWays)[number];

export const HOLD_SECONDS_MAX = 600;
export const WEIGHT_MIN = 0.1;
export const WEIGHT_MAX = 100;

/** How a tenant wants its jobs treated. */
export interface JobTerms {
  /**
   * Of an oversized call that says nothing itself. `hold`: the caller waits on his connection until its turn has come;
   * `async`: he gets 202 with the job's id; `reject`: it is refused.
   */
  readonly oversize: JobWayWanted;
  /** The same for a call that would get a 429, spent quotas apart. */
  readonly over_limit: JobWayWanted;
  /** How long a caller waits for an answer that is not streamed, before he gets 202; 1–600. */
  readonly hold_seconds: number;
  /** Its share of the GPU servers against those of other tenants whose jobs wait; 0.1–100. */
  readonly weight: number;
}

export const usualJobTerms: JobTerms = Object.freeze({
  oversize: 'hold',
  over_limit: 'reject',
  hold_seconds: 60,
  weight: 1,
});

/** What a tenant may use, and how its calls are treated. */
export interface TenantTerms extends Allowance, JobTerms, AccessRules {
  /** Keys of the tenant are refused, and only tokens are taken. */
  readonly require_jwt: boolean;
  /** Name of the policy of all its calls; null: none. */
  readonly policy: string | null;
  /** Whether JSON answers carry `metadata`. */
  readonly answer_metadata: boolean;
  /** Whether answers name the GPU servers that were tried. */
  readonly show_attempts: boolean;
  readonly priority: TenantPriority;
}

export interface TenantRecord extends TenantTerms {
  readonly name: string;
  readonly status: 'active' | 'disabled';
  /** Of no other tenant, in whatever case it is written; null: none. */
  readonly email: string | null;
  readonly created_at: string;
  readonly revision: number;
}

/** Of whoever has none: the same list for all, so that it is told by one comparison. */
export const noPolicies: readonly string[] = Object.freeze([]);

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
  /** Whether answers name the GPU servers that were tried, as the tenant wants it. */
  readonly showAttempts: boolean;
  /** Names of the policies in the order in which they apply: the key's, then the tenant's; each once. */
  readonly policies: readonly string[];
  /** Of the tenant: -1 low, 0 normal, 1 high. */
  readonly priority: number;
  /** Of the tenant. */
  readonly jobs: JobTerms;
  /** Of the key; null: as the model has it. */
  readonly oversizeRule: OversizeDifferences | null;
  /** Undefined: nothing is demanded of its calls. */
  readonly access: AccessDemands | undefined;
  /** Where its use is noted; undefined: nowhere. */
  readonly use: KeyUse | undefined;
  /** When the holder's page of usage begins: creation of the key, ISO 8601. */
  readonly createdAt: string;
  /** Of the token that it came in with; absent: it came in with a key. */
  readonly subject?: TokenSubject | undefined;
}
