import type { KeyRecord, ShownKey } from '../../core/principal.ts';
import type { Answer } from '../../redis/connection.ts';
import type { StoredKey } from '../../redis/key-records.ts';
import { cursorAt } from '../../redis/key-table.ts';
import type { KeyFilter, KeyStore, Page } from './key-administration.ts';
import { invalidField, utcDate } from './key-fields.ts';
import type { StoreParts } from './store-parts.ts';
import { noSuchKey, noSuchTenant, type Refused, refused, storeAway } from './store-refusals.ts';

const PAGE_MAX = 1_000;

/** Keys that are looked at for one page. Where few of them fit, the page is short, and the next one goes on. */
const SCANNED_MAX = 5_000;

export async function getKey({ table, uses }: StoreParts, id: string): ReturnType<KeyStore['get']> {
  const found = await table.findById(id);
  if (!found.ok) return storeAway();
  if (!found.value) return noSuchKey(id);
  const used = await uses.lastOf([found.value]);
  return used.ok ? { ok: true, record: shown(found.value, used.value[0]) } : storeAway();
}

export async function listKeys(parts: StoreParts, page: Page & KeyFilter): ReturnType<KeyStore['list']> {
  const fault = pageFault(page) ?? filterFault(page);
  if (fault) return fault;
  const { limit, tenant } = page;
  const wanted = wantedBy(page);
  const piece = wanted.any ? limit : PAGE_MAX;
  const records: ShownKey[] = [];
  let { cursor } = page;
  for (let scanned = 0; scanned < SCANNED_MAX; scanned += piece) {
    const found = await pieceOfKeys(parts, tenant, piece, cursor);
    if (!found.ok) return storeAway();
    if (!found.value) return refused(invalidField('cursor', 'the next_cursor of the page before'));
    const { keys, nextCursor } = found.value;
    for (const [index, key] of keys.entries()) {
      if (wanted.isBehind(key)) return { ok: true, records, next_cursor: null };
      if (!wanted.fits(key)) continue;
      records.push(key);
      if (records.length < limit) continue;
      const isLast = index === keys.length - 1;
      return { ok: true, records, next_cursor: isLast ? nextCursor : cursorAt(key, tenant) };
    }
    if (nextCursor === null) return { ok: true, records, next_cursor: null };
    cursor = nextCursor;
  }
  return { ok: true, records, next_cursor: cursor ?? null };
}

async function pieceOfKeys(
  { table, uses }: StoreParts,
  tenant: string | undefined,
  limit: number,
  cursor: string | undefined,
): Promise<Answer<{ readonly keys: readonly ShownKey[]; readonly nextCursor: string | null } | undefined>> {
  const found = await table.pageOfKeys(tenant, limit, cursor);
  if (!found.ok || !found.value) return found as Answer<undefined>;
  const { records, nextCursor } = found.value;
  const used = await uses.lastOf(records);
  if (!used.ok) return used;
  return {
    ok: true,
    value: { keys: records.map((key, index) => shown(key, used.value[index])), nextCursor },
  };
}

/** Lists are in the order of creation, so behind a key that is too young none fits. */
function wantedBy({ tag, status, created_before, unused_since }: KeyFilter) {
  const createdMs = created_before === undefined ? Number.POSITIVE_INFINITY : msOf(created_before);
  const unusedMs = unused_since === undefined ? Number.POSITIVE_INFINITY : msOf(unused_since);
  const endMs = Math.min(createdMs, unusedMs);
  return {
    any: tag === undefined && status === undefined && endMs === Number.POSITIVE_INFINITY,
    isBehind: ({ created_at }: ShownKey) => Date.parse(created_at) >= endMs,
    fits: (key: ShownKey) =>
      (tag === undefined || key.tags.includes(tag)) &&
      (status === undefined || key.status === status) &&
      (key.last_used_at === null || Date.parse(key.last_used_at) < unusedMs),
  };
}

function filterFault({ created_before, unused_since }: KeyFilter): Refused | undefined {
  for (const [name, date] of Object.entries({ created_before, unused_since })) {
    if (date === undefined || utcDate(date) !== undefined) continue;
    return refused(invalidField(name, 'a date in ISO 8601, such as 2030-01-31T12:00:00Z'));
  }
  return undefined;
}

function msOf(date: string): number {
  return Date.parse(utcDate(date) ?? date);
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

/** Without the digests, which are nobody's business, and without what signs. */
export function publicRecord({
  secrets: _secrets,
  signing_keys: _signingKeys,
  ...record
}: StoredKey): KeyRecord {
  return record;
}

function shown(stored: StoredKey, usedAtMs: number | undefined): ShownKey {
  const last_used_at = usedAtMs === undefined ? null : new Date(usedAtMs).toISOString();
  return { ...publicRecord(stored), last_used_at };
}

function pageFault({ limit }: Page): Refused | undefined {
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_MAX) return undefined;
  return refused(invalidField('limit', `1 to ${PAGE_MAX}`));
}
