/** The audit trail: one capped stream for the installation, of entries as JSON. */
import type { AuditEntry, StoredAuditEntry } from '../core/audit.ts';
import type { Answer, RedisConnection } from './connection.ts';

export interface AuditRange {
  /** Moments at which entries were written, in milliseconds by Redis' clock, both inclusive. */
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  /** Only what stands before the entry with this id. */
  readonly before: string | undefined;
}

export interface AuditTable {
  /** Durable. What fails for want of a confirmation may have been written nevertheless. */
  append(entry: AuditEntry): Promise<Answer<unknown>>;
  /** The newest first. `lastId`: of the last one that was looked at; undefined: the range ends here. */
  read(
    range: AuditRange,
    countMax: number,
  ): Promise<Answer<{ readonly entries: readonly StoredAuditEntry[]; readonly lastId: string | undefined }>>;
}

/** @param kept entries at least; a few more until Redis tidies up */
export function auditTable({ ask, durable, keys }: RedisConnection, kept: number): AuditTable {
  return {
    append: (entry) =>
      durable(
        (client) => client.xadd(keys.audit(), 'MAXLEN', '~', kept, '*', 'entry', JSON.stringify(entry)),
        keys.audit(),
      ),

    read: ({ fromMs, toMs, before }, countMax) =>
      ask(async (client) => {
        const end = before === undefined ? (toMs ?? '+') : `(${before}`;
        const found = await client.xrevrange(keys.audit(), end, fromMs ?? '-', 'COUNT', countMax);
        const entries = found.flatMap(([id, fields]) => parseEntry(id, fields[1]));
        return { entries, lastId: found.length < countMax ? undefined : found.at(-1)?.[0] };
      }),
  };
}

/** Nothing for what this release cannot read. */
function parseEntry(id: string, text: string | undefined): StoredAuditEntry[] {
  try {
    const entry = Object(JSON.parse(text ?? ''));
    const isEntry = typeof entry.at === 'string' && typeof entry.action === 'string';
    return isEntry ? [{ ...entry, id, subject: Object(entry.subject) }] : [];
  } catch {
    return [];
  }
}
