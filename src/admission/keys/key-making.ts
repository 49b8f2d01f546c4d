import { refusal } from '../../core/errors.ts';
import { allowanceOf } from '../../core/limits.ts';
import type { Answer } from '../../redis/connection.ts';
import type { StoredKey } from '../../redis/key-records.ts';
import type { IssuedKey, KeyResult, NewKey } from './key-administration.ts';
import { keyFieldFault, labelsOf, utcDate } from './key-fields.ts';
import { newKeyId, newSecret } from './key-format.ts';
import { publicRecord } from './key-queries.ts';
import { policyFault } from './policy-names.ts';
import type { StoreParts } from './store-parts.ts';
import { refused, storeAway } from './store-refusals.ts';
import { tenantOnTheWay } from './tenant-changes.ts';

export async function createKey(parts: StoreParts, wanted: NewKey): Promise<KeyResult<IssuedKey>> {
  const fault = keyFieldFault(wanted) ?? policyFault(parts, wanted.policy);
  if (fault) return refused(fault);
  const nowMs = parts.now();
  const id = newKeyId();
  const secret = newSecret(id);
  const digest = parts.digestOf(secret);
  const stored: StoredKey = {
    id,
    tenant: wanted.tenant,
    name: wanted.name,
    status: 'active',
    origin: 'generated',
    ...allowanceOf(wanted, parts.defaults.key),
    ...labelsOf(wanted),
    policy: wanted.policy === undefined ? parts.defaults.key.policy : wanted.policy,
    oversize_rule: wanted.oversize_rule ?? null,
    created_at: new Date(nowMs).toISOString(),
    expires_at: wanted.expires_at === null ? null : (utcDate(wanted.expires_at) ?? null),
    rotated_at: null,
    revision: 1,
    secrets: [{ digest, not_after: null }],
  };
  const claimed = await parts.table.claimSecret(digest, { tenant: stored.tenant, key: id });
  const written = claimed.ok ? await writeKey(parts, stored) : claimed;
  if (!written.ok) return storeAway();
  if (!written.value) return refused(refusal('conflict', 'The id of the new key is taken. Try again.'));
  return { ok: true, record: publicRecord(stored), secret };
}

/** The steps after the secret was claimed. False when the record is there already. */
export async function writeKey(
  parts: StoreParts,
  stored: StoredKey,
  requestsUsed = 0,
): Promise<Answer<boolean>> {
  const createdAtMs = Date.parse(stored.created_at);
  const indexed = await parts.table.index({ tenant: stored.tenant, key: stored.id }, createdAtMs);
  if (!indexed.ok) return indexed;
  return parts.table.createKey(stored, tenantOnTheWay(parts, stored.tenant), createdAtMs, requestsUsed);
}
