import type { KeyTable } from '../../redis/key-table.ts';
import type { KeyDigest } from './key-digest.ts';

/** What every operation on keys works with. */
export interface StoreParts {
  readonly table: KeyTable;
  readonly digestOf: KeyDigest;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}
