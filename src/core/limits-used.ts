/** How much of its limits a caller has used, of each kind where that is most. 1: all; above: debt. Undefined: no limit. */
export interface LimitsUsed {
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
  readonly maxConcurrent: number | undefined;
  readonly quota: number | undefined;
  /** The most that a bucket owes. */
  readonly tokenDebt: number;
}
