/** What this replica knows of the subjects of tokens and their tenants: the memory of keys, over another table. */
import type { Config } from '../../config/schema.ts';
import type { TokenSubject } from '../../core/token-subject.ts';
import type { KeyTable } from '../../redis/key-table.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { FoundAnswer } from '../keys/key-lookup.ts';
import { type DataInRedis, KeyMemory } from '../keys/key-memory.ts';
import { termsWithoutRecord } from '../keys/tenant-terms.ts';
import { findSubject, subjectKey } from './subject-key.ts';

interface SubjectMemoryParts {
  readonly config: Pick<Config, 'auth' | 'keys' | 'defaults' | 'tenants'>;
  readonly table: Pick<KeyTable, 'findTenantVersioned'>;
  readonly data: DataInRedis;
  readonly countMax: number;
  readonly log: Logger;
}

/**
 * The name of an owner says all of him: so whoever asks for him again, as when his record grows old, needs no second
 * memory. Tokens of one subject that say the same have one name.
 */
export function ownerName(tenant: string, subject: TokenSubject): string {
  return JSON.stringify({ tenant, subject });
}

export function subjectMemory({ config, table, data, countMax, log }: SubjectMemoryParts): KeyMemory {
  const find = async (owner: string): Promise<FoundAnswer> => {
    const { tenant, subject } = JSON.parse(owner) as { tenant: string; subject: TokenSubject };
    const stored = subjectKey(config, tenant, subject);
    if (!stored) return { ok: true, value: undefined };
    const secrets = [{ digest: owner, not_after: null }];
    return findSubject(table, config.tenants, { ...stored, secrets });
  };
  return new KeyMemory({
    table: { findBySecret: find, findTenantVersioned: table.findTenantVersioned },
    limits: { ...config.keys, cached_max: countMax },
    environment: new Map(),
    termsWithoutRecord: termsWithoutRecord(config),
    // Only of keys is written down when they were last used.
    useOf: () => undefined,
    data,
    log,
  });
}
