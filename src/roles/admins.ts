/** Who runs the place, and what they did: the parts of the admin API that lie in Redis. */
import { AuditTrail } from '../admin/audit-trail.ts';
import { adminKeyDigest } from '../admission/admins/admin-key.ts';
import { AdminKeys } from '../admission/admins/admin-keys.ts';
import { createAdminStore } from '../admission/admins/admin-store.ts';
import type { Config } from '../config/schema.ts';
import { adminTable } from '../redis/admin-table.ts';
import { auditTable } from '../redis/audit-table.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Logger } from '../telemetry/log.ts';

interface AdminsParts {
  readonly redis: RedisConnection;
  readonly config: Pick<Config, 'secret' | 'admin'>;
  /** Whether what is not in Redis does not exist. */
  readonly isTrusted: () => boolean;
  readonly log: Logger;
}

export function createAdmins({ redis, config, isTrusted, log }: AdminsParts) {
  const table = adminTable(redis);
  const audit = auditTable(redis, config.admin.audit_kept);
  const digestOf = adminKeyDigest(config.secret);
  return {
    admins: createAdminStore({ table, digestOf, now: Date.now }),
    adminKeys: new AdminKeys({ table, digestOf, isTrusted, log, now: Date.now }),
    audit,
    trail: new AuditTrail({ table: audit, log }),
  };
}
