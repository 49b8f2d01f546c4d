/** For routes without their listener: whoever asks is the owner of the token, and what is told of writes is collected. */
import type { FastifyInstance } from 'fastify';
import { Journal } from '../../src/admin/journal.ts';
import { rootAdmin } from '../../src/core/admin.ts';
import type { AuditEntry } from '../../src/core/audit.ts';
import type { Logger } from '../../src/telemetry/log.ts';

export function asRoot(app: FastifyInstance, log: Logger): { journal: Journal; entries: AuditEntry[] } {
  app.decorateRequest('admin');
  app.addHook('onRequest', async (request) => {
    request.admin = rootAdmin;
  });
  const entries: AuditEntry[] = [];
  const trail = {
    append: async (entry: AuditEntry) => entries.push(entry) > 0,
    keep: (entry: AuditEntry) => void entries.push(entry),
  };
  return { journal: new Journal({ log, trail, now: Date.now }), entries };
}
