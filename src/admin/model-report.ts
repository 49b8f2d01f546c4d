import type { Health } from '../upstream/upstream.ts';

/** A model as this gateway serves it now. */
export interface ModelReport {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly context_length: number | null;
  readonly choice: string;
  readonly session_headers: readonly string[];
  readonly sticky: string;
  readonly fallbacks: readonly string[];
  readonly versions: readonly {
    /** Null: the model has no versions. */
    readonly name: string | null;
    readonly weight: number;
    /** Of the calls that name no version, between 0 and 1. */
    readonly share: number;
    readonly upstreams: readonly {
      readonly name: string;
      readonly weight: number;
      readonly upstream_model: string;
      readonly status: Health;
    }[];
  }[];
}
