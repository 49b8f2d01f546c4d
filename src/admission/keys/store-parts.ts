import type { Config } from '../../config/schema.ts';
import type { KeyTable } from '../../redis/key-table.ts';
import type { KeyDigest } from './key-digest.ts';

/** What every operation on keys works with. */
export interface StoreParts {
  readonly table: KeyTable;
  readonly digestOf: KeyDigest;
  /** What new keys and tenants get where they leave something out. */
  readonly defaults: Config['defaults'];
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}
