/** What a rotation makes of the secrets of a key. Pure. */
import { type Refusal, refusal } from '../../core/errors.ts';
import type { StoredKey, StoredSecret } from '../../redis/key-records.ts';

/** Of one key at the same time; more are rather a fault in somebody's script. */
const SECRETS_MAX = 8;

/** The new secret comes first; all others end at `endMs`, or before if that was settled already. */
export function rotated(
  stored: StoredKey,
  digest: string,
  endMs: number,
  nowMs: number,
): StoredKey | Refusal {
  const overlapping = stored.secrets
    .map((secret) => ({ ...secret, not_after: earlier(secret, endMs) }))
    .filter((secret) => Date.parse(secret.not_after) > nowMs);
  if (overlapping.length >= SECRETS_MAX) {
    return refusal(
      'conflict',
      `The key has ${overlapping.length} secrets that still work. Wait, or rotate with overlap_seconds 0.`,
    );
  }
  return {
    ...stored,
    secrets: [{ digest, not_after: null }, ...overlapping],
    rotated_at: new Date(nowMs).toISOString(),
  };
}

function earlier({ not_after }: StoredSecret, endMs: number): string {
  const settledMs = not_after === null ? Number.POSITIVE_INFINITY : Date.parse(not_after);
  return new Date(Math.min(settledMs, endMs)).toISOString();
}
