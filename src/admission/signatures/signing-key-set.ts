/** The signing keys of one record: what a new one makes of them, and what may be shown. Pure. */
import { type Refusal, refusal } from '../../core/errors.ts';
import type { StoredKey } from '../../redis/key-records.ts';
import type { SigningAlgorithm, StoredSigningKey } from '../../redis/signing-key-records.ts';
import { isRevoked } from '../keys/store-refusals.ts';

/** A signing key, as it may be shown. */
export interface SigningKeyView {
  readonly id: string;
  readonly alg: SigningAlgorithm;
  /** ed25519: its 32 bytes in base64url, as `x` of a JWK; null for a secret, which is shown once. */
  readonly public_key: string | null;
  readonly note: string;
  readonly created_at: string;
  readonly expires_at: string | null;
}

/** Of one key at the same time. */
const SIGNING_KEYS_MAX = 8;

/** What is said of a signing key that is entered, or entered again. */
interface Entering {
  readonly note?: string | undefined;
  readonly expires_at?: string | null | undefined;
  readonly overlap_seconds?: number | undefined;
}

/** What becomes of the signing keys of a record. */
export function withKey(
  stored: StoredKey,
  signingKey: StoredSigningKey,
  { note, expires_at, overlap_seconds }: Entering,
  nowMs: number,
): { readonly all: readonly StoredSigningKey[]; readonly entered: StoredSigningKey } | Refusal {
  if (stored.status === 'revoked') return isRevoked(stored.id);
  const before = inForce(stored, nowMs);
  const same = before.find(({ alg, material }) => alg === 'ed25519' && material === signingKey.material);
  const entered = same
    ? {
        ...same,
        note: note ?? same.note,
        not_after: expires_at === undefined ? same.not_after : signingKey.not_after,
      }
    : signingKey;
  const others = before.filter((one) => one !== same).map((one) => endingWithin(one, overlap_seconds, nowMs));
  const all = [entered, ...others.filter((one) => isInForce(one, nowMs))];
  if (all.length > SIGNING_KEYS_MAX) {
    return refusal(
      'conflict',
      `The key has ${SIGNING_KEYS_MAX} signing keys. Remove one, or let them end sooner.`,
    );
  }
  return { all, entered };
}

function endingWithin(
  one: StoredSigningKey,
  overlapSeconds: number | undefined,
  nowMs: number,
): StoredSigningKey {
  if (overlapSeconds === undefined) return one;
  const settledMs = one.not_after === null ? Number.POSITIVE_INFINITY : Date.parse(one.not_after);
  return { ...one, not_after: new Date(Math.min(settledMs, nowMs + overlapSeconds * 1_000)).toISOString() };
}

export function inForce({ signing_keys = [] }: StoredKey, nowMs: number): readonly StoredSigningKey[] {
  return signing_keys.filter((one) => isInForce(one, nowMs));
}

function isInForce({ not_after }: StoredSigningKey, nowMs: number): boolean {
  return not_after === null || Date.parse(not_after) > nowMs;
}

export function view({ id, alg, material, note, created_at, not_after }: StoredSigningKey): SigningKeyView {
  const public_key = alg === 'ed25519' ? material : null;
  return { id, alg, public_key, note, created_at, expires_at: not_after };
}
