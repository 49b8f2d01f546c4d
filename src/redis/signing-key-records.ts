/** Signing keys, as they stand in the record of the key that they belong to. */

export const signingAlgorithms = ['ed25519', 'hmac-sha256'] as const;

export type SigningAlgorithm = (typeof signingAlgorithms)[number];

export interface StoredSigningKey {
  /** `sgn_` + 12 characters. Public: it is the `keyid` of signatures and may stand in logs. */
  readonly id: string;
  readonly alg: SigningAlgorithm;
  /** Where the pointer to the record lies, beside those of secrets. */
  readonly digest: string;
  /** ed25519: the 32 bytes of the public key, in base64url. hmac-sha256: the secret, sealed. */
  readonly material: string;
  readonly note: string;
  /** ISO 8601, UTC. */
  readonly created_at: string;
  /** ISO 8601; null: as long as the key. */
  readonly not_after: string | null;
}
