/**
 * An e-mail address belongs to one tenant at most. The claim lies in another slot of a Cluster than the record: it is
 * made first, then the record is written, then the claim on the address before is dropped. A crash in between leaves a
 * claim that no record bears out; after a minute anybody may take it over, the same tenant at once.
 */
import { type Refusal, refusal } from '../../core/errors.ts';
import type { TenantRecord } from '../../core/principal.ts';
import { untilWritten } from './optimistic-write.ts';
import type { StoreParts } from './store-parts.ts';
import { changedMeanwhile, storeAway } from './store-refusals.ts';

/** Longer than any write takes, its retries included. */
const CLAIMED_MS = 60_000;

/** Undefined: the tenant has the address, or none is wanted. */
export async function claimEmail(
  parts: StoreParts,
  tenant: string,
  email: string | null | undefined,
): Promise<Refusal | undefined> {
  if (email == null) return undefined;
  const address = addressOf(email);
  const result = await untilWritten<Refusal | 'claimed'>(async () => {
    const found = await parts.emails.find(address);
    if (!found.ok) return storeAway().refusal;
    if (found.value && found.value.tenant !== tenant) {
      const owner = await parts.table.findTenant(found.value.tenant);
      if (!owner.ok) return storeAway().refusal;
      const isFresh = Math.abs(parts.now() - found.value.claimed_at_ms) < CLAIMED_MS;
      if (isFresh || hasEmail(owner.value, address)) return taken(email);
    }
    const claim = { tenant, claimed_at_ms: parts.now() };
    const claimed = await parts.emails.claim(address, found.value, claim);
    if (!claimed.ok) return storeAway().refusal;
    return claimed.value ? 'claimed' : undefined;
  });
  if (result === undefined) return changedMeanwhile().refusal;
  return result === 'claimed' ? undefined : result;
}

/** Of an address that the record of the tenant does not name, or not any more. Only tidies up: a failure costs nothing. */
export async function releaseEmail(
  parts: StoreParts,
  tenant: string,
  email: string | null | undefined,
): Promise<void> {
  if (email == null) return;
  const address = addressOf(email);
  const found = await parts.emails.find(address);
  if (!found.ok || found.value?.tenant !== tenant) return;
  const owner = await parts.table.findTenant(tenant);
  if (owner.ok && !hasEmail(owner.value, address)) await parts.emails.drop(address, found.value);
}

function addressOf(email: string): string {
  return email.normalize('NFC').toLowerCase();
}

function hasEmail(tenant: TenantRecord | undefined, address: string): boolean {
  return tenant?.email != null && addressOf(tenant.email) === address;
}

function taken(email: string): Refusal {
  const message = `The e-mail address ${JSON.stringify(email)} belongs to another tenant.`;
  return refusal('conflict', message, { param: 'email' });
}
