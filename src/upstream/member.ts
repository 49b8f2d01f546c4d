import type { MemberConfig } from '../config/pools.ts';
import type { Upstream } from './upstream.ts';

/** A GPU server as one of those that serve a model. */
export interface Member {
  readonly upstream: Upstream;
  /** What this server calls the model. */
  readonly upstreamModel: string;
  /** Its share against the other members; above 0. */
  readonly weight: number;
  /** Of the model; undefined: it has none. */
  readonly version: string | undefined;
}

interface MemberParts {
  readonly configured: readonly MemberConfig[];
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** Where the server has none of its own. */
  readonly upstreamModel: string;
  readonly version: string | undefined;
}

export function membersFrom({ configured, upstreams, upstreamModel, version }: MemberParts): Member[] {
  return configured.flatMap(({ name, weight, upstream_model }) => {
    const upstream = upstreams.get(name);
    return upstream ? [{ upstream, upstreamModel: upstream_model ?? upstreamModel, weight, version }] : [];
  });
}
