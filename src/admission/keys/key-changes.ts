import type { Refusal } from '../../core/errors.ts';
import { changedAllowance } from '../../core/limits.ts';
import type { KeyRecord } from '../../core/principal.ts';
import type { StoredKey } from '../../redis/key-records.ts';
import type { IssuedKey, KeyChanges, KeyResult } from './key-administration.ts';
import { invalidField, keyFieldFault, labelsOf, utcDate } from './key-fields.ts';
import { newSecret } from './key-format.ts';
import { publicRecord } from './key-queries.ts';
import { rotated } from './key-rotation.ts';
import { untilWritten } from './optimistic-write.ts';
import { policyFault } from './policy-names.ts';
import type { StoreParts } from './store-parts.ts';
import { changedMeanwhile, isRevoked, noSuchKey, refused, storeAway } from './store-refusals.ts';

const OVERLAP_SECONDS = 86_400;
const OVERLAP_SECONDS_MAX = 366 * 86_400;
/** For a day the log can tell that a secret was rotated away; after that it is simply unknown. */
const SUPERSEDED_KEPT_MS = 86_400_000;

type Revised = KeyResult<{ readonly record: KeyRecord; readonly before: KeyRecord }>;

/** What becomes of a record; the same object when nothing has to. Called again when others were first. */
type Revision = (stored: StoredKey) => StoredKey | Refusal;

export async function reviseKey(
  { table }: Pick<StoreParts, 'table'>,
  id: string,
  revise: Revision,
): Promise<Revised> {
  const result = await untilWritten<Revised>(async () => {
    const found = await table.findById(id);
    if (!found.ok) return storeAway();
    if (!found.value) return noSuchKey(id);
    const before = publicRecord(found.value);
    const revised = revise(found.value);
    if (!('id' in revised)) return refused(revised);
    if (revised === found.value) return { ok: true, record: publicRecord(revised), before };
    const next = { ...revised, revision: found.value.revision + 1 };
    const replaced = await table.replaceKey(next);
    if (!replaced.ok) return storeAway();
    return replaced.value ? { ok: true, record: publicRecord(next), before } : undefined;
  });
  return result ?? changedMeanwhile();
}

export async function updateKey(parts: StoreParts, id: string, changes: KeyChanges): Promise<Revised> {
  const fault = keyFieldFault(changes);
  if (fault) return refused(fault);
  const { name, expires_at, status, policy, oversize_rule } = changes;
  const unknown = policyFault(parts, policy);
  if (unknown) return refused(unknown);
  return reviseKey(parts, id, (stored) => {
    if (stored.status === 'revoked') return isRevoked(id);
    return {
      ...stored,
      name: name ?? stored.name,
      ...changedAllowance(stored, changes),
      ...labelsOf(changes, stored),
      expires_at: expires_at === undefined ? stored.expires_at : expires_at && (utcDate(expires_at) ?? null),
      status: status ?? stored.status,
      policy: policy === undefined ? stored.policy : policy,
      oversize_rule: oversize_rule === undefined ? stored.oversize_rule : oversize_rule,
    };
  });
}

export function revokeKey(parts: StoreParts, id: string): Promise<Revised> {
  return reviseKey(parts, id, (stored) =>
    stored.status === 'revoked' ? stored : { ...stored, status: 'revoked' },
  );
}

export async function rotateKey(
  parts: StoreParts,
  id: string,
  { overlap_seconds = OVERLAP_SECONDS }: { readonly overlap_seconds?: number | undefined },
): Promise<KeyResult<IssuedKey & { readonly before: KeyRecord }>> {
  if (!(overlap_seconds >= 0 && overlap_seconds <= OVERLAP_SECONDS_MAX)) {
    return refused(invalidField('overlap_seconds', `0 to ${OVERLAP_SECONDS_MAX}`));
  }
  const found = await parts.table.findById(id);
  if (!found.ok) return storeAway();
  if (!found.value) return noSuchKey(id);
  const secret = newSecret(id);
  const digest = parts.digestOf(secret);
  const claimed = await parts.table.claimSecret(digest, { tenant: found.value.tenant, key: id });
  if (!claimed.ok) return storeAway();
  const nowMs = parts.now();
  const endMs = Math.ceil(nowMs + overlap_seconds * 1_000);
  let superseded: readonly string[] = [];
  const result = await reviseKey(parts, id, (stored) => {
    if (stored.status === 'revoked') return isRevoked(id);
    superseded = stored.secrets.map((old) => old.digest);
    return rotated(stored, digest, endMs, nowMs);
  });
  if (!result.ok) return result;
  // Only tidies up, since the record says when they end: a failure here is none of the rotation.
  await parts.table.expireSecrets(superseded, endMs + SUPERSEDED_KEPT_MS);
  return { ...result, secret };
}
