import type { Config } from '../../config/schema.ts';
import type { EmailTable } from '../../redis/email-table.ts';
import type { KeyTable } from '../../redis/key-table.ts';
import type { KeyUseTable } from '../../redis/key-use-table.ts';
import type { KeyDigest } from './key-digest.ts';

/** What every operation on keys works with. */
export interface StoreParts {
  readonly table: KeyTable;
  readonly emails: EmailTable;
  readonly uses: Pick<KeyUseTable, 'lastOf'>;
  readonly digestOf: KeyDigest;
  /** What new keys and tenants get where they leave something out. */
  readonly defaults: Config['defaults'];
  /** Tenants of the configuration, by name. */
  readonly seeds: ReadonlyMap<string, Config['tenants'][number]>;
  /** Of the configuration as it is now. */
  readonly policyNames: () => readonly string[];
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}
