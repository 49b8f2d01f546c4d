/** What a caller has to show beside his credential, and what he may ask for. Pure. */

/**
 * What a key may be used for. `inference`: all routes that answer from a model, and the list of models; `jobs`: the
 * routes of jobs, and asking for one with `Prefer`; `usage`: the page of what it has used.
 */
export const accessScopes = ['inference', 'jobs', 'usage'] as const;

export type AccessScope = (typeof accessScopes)[number];

/** What a key and its tenant may both demand. Where both do, both count. */
export interface AccessRules {
  /** Addresses, and networks in CIDR notation, IPv4 and IPv6, from which calls may come; empty: from anywhere. */
  readonly allowed_addresses: readonly string[];
  /** A call without a signature is refused. */
  readonly require_signature: boolean;
  /** A call on a connection without a verified client certificate is refused. */
  readonly require_client_certificate: boolean;
}

export const noAccessRules: AccessRules = Object.freeze({
  allowed_addresses: Object.freeze([]),
  require_signature: false,
  require_client_certificate: false,
});

export const ALLOWED_ADDRESSES_MAX = 100;

/** How a caller has proved who he is. A closed set. */
export type WayIn = 'key' | 'token' | 'signature';

export interface AddressList {
  /** False for text that is no address. */
  includes(address: string): boolean;
}

/** Of a principal, compiled; one of whom nothing is demanded has none. */
export interface AccessDemands {
  readonly scopes: readonly AccessScope[];
  /** Each of them has to include the address of the caller. */
  readonly addresses: readonly AddressList[];
  readonly signature: boolean;
  readonly clientCertificate: boolean;
  /** Keys are refused, also those that sign: the tenant takes tokens alone. */
  readonly token: boolean;
}

/** What a call shows of itself. */
export interface AccessShown {
  readonly way: WayIn;
  /** Of the caller, behind proxies that are trusted. */
  readonly address: string;
  /** The connection was opened with a certificate that was verified. */
  readonly hasCertificate: boolean;
  readonly scope: AccessScope;
}

/** What is missing, for the log: nobody learns from the answer which of these it was. */
export type UnmetDemand =
  | 'token demanded'
  | 'signature demanded'
  | 'client certificate demanded'
  | 'address not allowed'
  | `scope ${AccessScope} missing`;

/** The first demand that a call does not meet; proofs come before rights. */
export function unmetDemand(demands: AccessDemands, shown: AccessShown): UnmetDemand | undefined {
  if (demands.token && shown.way !== 'token') return 'token demanded';
  if (demands.signature && shown.way !== 'signature') return 'signature demanded';
  if (demands.clientCertificate && !shown.hasCertificate) return 'client certificate demanded';
  if (!demands.addresses.every((list) => list.includes(shown.address))) return 'address not allowed';
  return demands.scopes.includes(shown.scope) ? undefined : `scope ${shown.scope} missing`;
}
