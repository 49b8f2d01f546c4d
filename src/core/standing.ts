/** How a caller stands towards its limits, as the headers tell it: of several scopes the tightest. */

export interface BucketStanding {
  readonly perMinute: number;
  readonly burst: number;
  /** What would be admitted now. */
  readonly remaining: number;
  /** Until it is full. */
  readonly fullInMs: number;
}

export interface QuotaStanding {
  readonly limit: number;
  readonly remaining: number;
}

/** Undefined: not limited. */
export interface Standing {
  readonly requests: BucketStanding | undefined;
  readonly tokens: BucketStanding | undefined;
  readonly quotas: {
    readonly requests: QuotaStanding | undefined;
    readonly tokens: QuotaStanding | undefined;
    readonly images: QuotaStanding | undefined;
    /** In nano-dollars. */
    readonly costNano: QuotaStanding | undefined;
  };
}
