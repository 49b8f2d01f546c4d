import type { KeyRecord } from '../../core/principal.ts';
import type { StoredKey } from '../../redis/key-records.ts';
import type { KeyStore, Page } from './key-administration.ts';
import { invalidField } from './key-fields.ts';
import type { StoreParts } from './store-parts.ts';
import { noSuchKey, noSuchTenant, type Refused, refused, storeAway } from './store-refusals.ts';

const PAGE_MAX = 1_000;

export async function getKey({ table }: StoreParts, id: string): ReturnType<KeyStore['get']> {
  const found = await table.findById(id);
  if (!found.ok) return storeAway();
  return found.value ? { ok: true, record: publicRecord(found.value) } : noSuchKey(id);
}

export async function listKeys(
  { table }: StoreParts,
  page: Page & { readonly tenant?: string | undefined },
): ReturnType<KeyStore['list']> {
  const fault = pageFault(page);
  if (fault) return fault;
  const found = await table.pageOfKeys(page.tenant, page.limit, page.cursor);
  if (!found.ok) return storeAway();
  if (!found.value) return refused(invalidField('cursor', 'the next_cursor of the page before'));
  return { ok: true, records: found.value.records.map(publicRecord), next_cursor: found.value.nextCursor };
}

export async function getTenant({ table }: StoreParts, name: string): ReturnType<KeyStore['getTenant']> {
  const found = await table.findTenant(name);
  if (!found.ok) return storeAway();
  return found.value ? { ok: true, tenant: found.value } : noSuchTenant(name);
}

export async function listTenants({ table }: StoreParts, page: Page): ReturnType<KeyStore['listTenants']> {
  const fault = pageFault(page);
  if (fault) return fault;
  const found = await table.pageOfTenants(page.limit, page.cursor);
  if (!found.ok) return storeAway();
  return { ok: true, tenants: found.value.records, next_cursor: found.value.nextCursor };
}

/** Without the digests, which are nobody's business. */
export function publicRecord({ secrets: _secrets, ...record }: StoredKey): KeyRecord {
  return record;
}

function pageFault({ limit }: Page): Refused | undefined {
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_MAX) return undefined;
  return refused(invalidField('limit', `1 to ${PAGE_MAX}`));
}
