import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { utcDate } from '../admission/keys/key-fields.ts';
import { storeAway } from '../admission/keys/store-refusals.ts';
import type { StoredAuditEntry } from '../core/audit.ts';
import type { AuditRange, AuditTable } from '../redis/audit-table.ts';
import { sendRefusal } from './answers.ts';
import { pageQuery } from './schemas.ts';
import type { ZodTypes } from './validation.ts';

/** Read from Redis at a time. */
const LOT_ENTRIES = 250;
/** Looked at for one page: a filter that fits nothing must not read the whole trail in one request. */
const LOOKED_AT_MAX = 5_000;

const instant = (edge: string) =>
  z
    .string()
    .transform((text, context) => {
      const utc = utcDate(text);
      if (utc !== undefined) return Date.parse(utc);
      context.addIssue('must be ISO 8601, such as 2030-01-31T12:00:00Z');
      return z.NEVER;
    })
    .optional()
    .describe(`${edge} moment at which an entry was written, ISO 8601.`);

export const auditQuery = pageQuery.extend({
  cursor: z
    .string()
    .regex(/^\d{1,14}-\d{1,10}$/, 'must be `next_cursor` of the page before')
    .optional(),
  actor: z.string().min(1).max(128).optional().describe('Id or name of an admin; root: the token.'),
  action: z
    .string()
    .regex(/^[a-z]+(\.[a-z_]+)?$/, 'must be like key.update, or key')
    .max(64)
    .optional()
    .describe('Such as key.update; key alone: all that was done to keys.'),
  subject: z.string().min(1).max(256).optional().describe('Id or name of what it was done to.'),
  from: instant('First'),
  to: instant('Last'),
});

type Filter = Pick<z.output<typeof auditQuery>, 'actor' | 'action' | 'subject'>;

/** `/v1/audit`: the newest first; a page may be shorter than its limit although more follow. */
export function auditRoutes(app: FastifyInstance, { audit }: { audit: Pick<AuditTable, 'read'> }): void {
  const routes = app.withTypeProvider<ZodTypes>();

  routes.get('/v1/audit', { schema: { querystring: auditQuery } }, async (request, reply) => {
    const { limit, cursor, from, to, ...filter } = request.query;
    const page = await readPage(audit, { fromMs: from, toMs: to, before: cursor }, filter, limit);
    if (!page) return sendRefusal(reply, storeAway().refusal);
    return { object: 'list', data: page.entries, next_cursor: page.nextCursor };
  });
}

/** Undefined: Redis does not answer. */
async function readPage(
  audit: Pick<AuditTable, 'read'>,
  range: AuditRange,
  filter: Filter,
  limit: number,
): Promise<{ entries: StoredAuditEntry[]; nextCursor: string | null } | undefined> {
  const isWanted = (entry: StoredAuditEntry) => fits(entry, filter);
  const entries: StoredAuditEntry[] = [];
  let { before } = range;
  for (let lookedAt = 0; lookedAt < LOOKED_AT_MAX; lookedAt += LOT_ENTRIES) {
    const lot = await audit.read({ ...range, before }, LOT_ENTRIES);
    if (!lot.ok) return undefined;
    for (const entry of lot.value.entries.filter(isWanted)) {
      if (entries.length === limit) return { entries, nextCursor: entries.at(-1)?.id ?? null };
      entries.push(entry);
    }
    before = lot.value.lastId;
    if (before === undefined) return { entries, nextCursor: null };
  }
  return { entries, nextCursor: before ?? null };
}

function fits(entry: StoredAuditEntry, { actor, action, subject }: Filter): boolean {
  if (actor !== undefined && entry.actor !== actor && entry.actor_name !== actor) return false;
  if (action !== undefined && entry.action !== action && !entry.action.startsWith(`${action}.`)) return false;
  return subject === undefined || Object.values(entry.subject).includes(subject);
}
