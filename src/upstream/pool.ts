import type { ModelConfig } from '../config/schema.ts';
import type { Member } from './member.ts';

/** The servers among which one is chosen for a call. */
export interface Pool {
  /** `model`, or `model@version`; what is remembered of a pool beyond a reload goes by it. */
  readonly name: string;
  readonly members: readonly Member[];
  readonly choice: ModelConfig['choice'];
  /** In lower case; the first that a call has names its conversation. */
  readonly sessionHeaders: readonly string[];
}
