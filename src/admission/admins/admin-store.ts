/** The administration of admins, in Redis. */
import type { AdminRecord, AdminRole } from '../../core/admin.ts';
import { refusal } from '../../core/errors.ts';
import { ADMINS_MAX, type AdminTable, type StoredAdmin } from '../../redis/admin-table.ts';
import type { KeyResult } from '../keys/key-administration.ts';
import { utcDate } from '../keys/key-fields.ts';
import { untilWritten } from '../keys/optimistic-write.ts';
import { changedMeanwhile, type Refused, refused, storeAway } from '../keys/store-refusals.ts';
import { newAdminId, newAdminKey } from './admin-key.ts';

export interface NewAdmin {
  readonly name: string;
  readonly role: AdminRole;
  /** ISO 8601; null: never. */
  readonly expires_at: string | null;
}

/** Absent fields stay as they are. */
export interface AdminChanges {
  readonly name?: string | undefined;
  readonly role?: AdminRole | undefined;
  readonly expires_at?: string | null | undefined;
  readonly status?: 'active' | 'disabled' | undefined;
}

export interface ListedAdmin extends AdminRecord {
  /** ISO 8601, to about a minute; null: never. */
  readonly last_used_at: string | null;
}

interface Changed {
  readonly record: AdminRecord;
  readonly before: AdminRecord;
}

type Result<T> = Promise<KeyResult<T>>;

/** Refusals: `not_found`, `invalid_parameter`, `conflict`, and `store_unavailable` as for keys. */
export interface AdminStore {
  /** `secret`: the admin key, which nobody can show again. */
  create(wanted: NewAdmin): Result<{ readonly record: AdminRecord; readonly secret: string }>;
  get(id: string): Result<{ readonly record: ListedAdmin }>;
  /** All, the oldest first. */
  list(): Result<{ readonly records: readonly ListedAdmin[] }>;
  update(id: string, changes: AdminChanges): Result<Changed>;
  /** @param overlapSeconds how long the key so far goes on working; 0: it ends at once */
  rotate(id: string, overlapSeconds: number): Result<Changed & { readonly secret: string }>;
  /** For good. */
  revoke(id: string): Result<Changed>;
}

interface StoreParts {
  readonly table: AdminTable;
  readonly digestOf: (key: string) => string;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}

/** Keys of one admin that work at the same time. */
const SECRETS_MAX = 4;

export function createAdminStore(parts: StoreParts): AdminStore {
  return {
    create: (wanted) => createAdmin(parts, wanted),
    get: async (id) => {
      const [found, uses] = await Promise.all([parts.table.find(id), parts.table.lastUses()]);
      if (!found.ok || !uses.ok) return storeAway();
      return found.value ? { ok: true, record: listed(found.value, uses.value) } : noSuchAdmin(id);
    },
    list: async () => {
      const [found, uses] = await Promise.all([parts.table.all(), parts.table.lastUses()]);
      if (!found.ok || !uses.ok) return storeAway();
      return { ok: true, records: found.value.map((stored) => listed(stored, uses.value)) };
    },
    update: (id, changes) => revise(parts, id, (stored) => changed(stored, changes)),
    rotate: async (id, overlapSeconds) => {
      const secret = newAdminKey(id);
      const result = await revise(parts, id, (stored) => {
        return withSecret(stored, parts.digestOf(secret), overlapSeconds, parts.now());
      });
      return result.ok ? { ...result, secret } : result;
    },
    revoke: (id) => revise(parts, id, (stored) => ({ ...stored, status: 'revoked' }), true),
  };
}

async function createAdmin(
  parts: StoreParts,
  wanted: NewAdmin,
): Result<{ readonly record: AdminRecord; readonly secret: string }> {
  const { table, digestOf, now } = parts;
  const id = newAdminId();
  const secret = newAdminKey(id);
  const stored: StoredAdmin = {
    id,
    name: wanted.name,
    role: wanted.role,
    status: 'active',
    created_at: new Date(now()).toISOString(),
    expires_at: wanted.expires_at && (utcDate(wanted.expires_at) ?? null),
    rotated_at: null,
    revision: 1,
    secrets: [{ digest: digestOf(secret), not_after: null }],
  };
  let written = await table.write(stored);
  if (written.ok && written.value === 'full' && (await makeRoom(table))) written = await table.write(stored);
  if (!written.ok) return storeAway();
  if (written.value === 'full')
    return refused(refusal('conflict', `There are ${ADMINS_MAX} admins already.`));
  if (written.value === 'changed') return changedMeanwhile();
  return { ok: true, record: publicRecord(stored), secret };
}

/** The record of an admin who was revoked says nothing that the audit trail does not. */
async function makeRoom(table: AdminTable): Promise<boolean> {
  const found = await table.all();
  const oldest = found.ok ? found.value.find(({ status }) => status === 'revoked') : undefined;
  return oldest !== undefined && (await table.remove(oldest.id)).ok;
}

async function revise(
  { table }: StoreParts,
  id: string,
  revision: (stored: StoredAdmin) => StoredAdmin,
  mayBeRevoked = false,
): Result<Changed> {
  const result = await untilWritten<KeyResult<Changed>>(async () => {
    const found = await table.find(id);
    if (!found.ok) return storeAway();
    const stored = found.value;
    if (!stored) return noSuchAdmin(id);
    const before = publicRecord(stored);
    if (stored.status === 'revoked')
      return mayBeRevoked ? { ok: true, record: before, before } : isRevoked(id);
    const next = { ...revision(stored), revision: stored.revision + 1 };
    const written = await table.write(next);
    if (!written.ok) return storeAway();
    return written.value === 'written' ? { ok: true, record: publicRecord(next), before } : undefined;
  });
  return result ?? changedMeanwhile();
}

function changed(stored: StoredAdmin, { name, role, expires_at, status }: AdminChanges): StoredAdmin {
  return {
    ...stored,
    name: name ?? stored.name,
    role: role ?? stored.role,
    expires_at: expires_at === undefined ? stored.expires_at : expires_at && (utcDate(expires_at) ?? null),
    status: status ?? stored.status,
  };
}

function withSecret(stored: StoredAdmin, digest: string, overlapSeconds: number, nowMs: number): StoredAdmin {
  const endMs = nowMs + overlapSeconds * 1_000;
  const overlapping = stored.secrets
    .map(({ digest: old, not_after }) => ({
      digest: old,
      endMs: Math.min(endMs, not_after === null ? Number.POSITIVE_INFINITY : Date.parse(not_after)),
    }))
    .filter((secret) => secret.endMs > nowMs)
    .slice(0, SECRETS_MAX - 1)
    .map((secret) => ({ digest: secret.digest, not_after: new Date(secret.endMs).toISOString() }));
  return {
    ...stored,
    secrets: [{ digest, not_after: null }, ...overlapping],
    rotated_at: new Date(nowMs).toISOString(),
  };
}

function listed(stored: StoredAdmin, uses: ReadonlyMap<string, number>): ListedAdmin {
  const atMs = uses.get(stored.id);
  return { ...publicRecord(stored), last_used_at: atMs === undefined ? null : new Date(atMs).toISOString() };
}

/** Without the digests, which are nobody's business. */
function publicRecord({ secrets: _secrets, ...record }: StoredAdmin): AdminRecord {
  return record;
}

function noSuchAdmin(id: string): Refused {
  return refused(refusal('not_found', `There is no admin ${JSON.stringify(id.slice(0, 64))}.`));
}

function isRevoked(id: string): Refused {
  return refused(refusal('conflict', `The admin ${id} is revoked, which is for good.`));
}
