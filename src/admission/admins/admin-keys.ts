/**
 * Whose admin key is this? Redis is asked each time: the admin API is not a hot path, and so a key that was disabled or
 * revoked is refused from the next request on, on every replica.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Admin } from '../../core/admin.ts';
import type { AdminTable, StoredAdmin } from '../../redis/admin-table.ts';
import type { Logger } from '../../telemetry/log.ts';
import { adminIdOf } from './admin-key.ts';

export type AdminVerdict =
  | { readonly ok: true; readonly admin: Admin }
  /** @param isGuess there is no such key; the others were one once */
  | { readonly ok: false; readonly kind: 'wrong'; readonly reason: string; readonly isGuess: boolean }
  | { readonly ok: false; readonly kind: 'unavailable'; readonly reason: string };

interface AdminKeysParts {
  readonly table: Pick<AdminTable, 'find' | 'noteUse'>;
  readonly digestOf: (key: string) => string;
  /** Whether an admin who is not in Redis does not exist. */
  readonly isTrusted: () => boolean;
  readonly log: Logger;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}

const USE_NOTED_EVERY_MS = 60_000;
/** As many as there may be admins. */
const USES_KEPT_MAX = 1_000;

export class AdminKeys {
  readonly #parts: AdminKeysParts;
  readonly #notedAtMs = new Map<string, number>();

  constructor(parts: AdminKeysParts) {
    this.#parts = parts;
  }

  /** Settles within the command time-out. What has not the form of an admin key is refused unseen. */
  async check(presented: string): Promise<AdminVerdict> {
    const { table, digestOf, isTrusted, now } = this.#parts;
    const id = adminIdOf(presented);
    if (id === undefined) return wrong('wrong', true);
    const found = await table.find(id);
    if (!found.ok) return { ok: false, kind: 'unavailable', reason: found.failure.cause };
    if (!found.value) {
      if (!isTrusted()) return { ok: false, kind: 'unavailable', reason: 'the data in Redis are missing' };
      return wrong('wrong', true);
    }
    const nowMs = now();
    const fault = faultOf(found.value, digestOf(presented), nowMs);
    if (fault) return fault;
    this.#noteUse(id, nowMs);
    const { name, role } = found.value;
    return { ok: true, admin: { id, name, role } };
  }

  #noteUse(id: string, nowMs: number): void {
    const { table, log } = this.#parts;
    const agoMs = nowMs - (this.#notedAtMs.get(id) ?? Number.NEGATIVE_INFINITY);
    if (agoMs >= 0 && agoMs < USE_NOTED_EVERY_MS) return;
    if (this.#notedAtMs.size >= USES_KEPT_MAX) this.#notedAtMs.clear();
    this.#notedAtMs.set(id, nowMs);
    table
      .noteUse(id, nowMs)
      .catch((error: Error) => log.error({ cause: error.message }, 'a use is not noted'));
  }
}

function faultOf(stored: StoredAdmin, digest: string, nowMs: number): AdminVerdict | undefined {
  const secret = stored.secrets.find((one) => isEqual(one.digest, digest));
  if (!secret) return wrong('wrong', true);
  if (isPast(secret.not_after, nowMs)) return wrong(`rotated away: ${stored.id}`, false);
  if (stored.status !== 'active') return wrong(`${stored.status}: ${stored.id}`, false);
  return isPast(stored.expires_at, nowMs) ? wrong(`expired: ${stored.id}`, false) : undefined;
}

function wrong(reason: string, isGuess: boolean): AdminVerdict {
  return { ok: false, kind: 'wrong', reason, isGuess };
}

function isPast(instant: string | null, nowMs: number): boolean {
  return instant !== null && Date.parse(instant) <= nowMs;
}

function isEqual(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
