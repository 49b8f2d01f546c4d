import { isSlow } from './latencies.ts';
import type { ServerHealth } from './server-health.ts';

/** The servers of a model. */
export interface ServerPool {
  /** What `succeeded` was told. */
  readonly model: string;
  readonly servers: readonly ServerHealth[];
}

/**
 * Ejects the slowest server of a pool when it is far from its peers: one at a time, because the others get faster or
 * slower by it, and never so that fewer than half of the pool are left.
 */
export function ejectSlowServer({ model, servers }: ServerPool, nowMs: number): void {
  const up = servers.filter((server) => server.state(nowMs) === 'up');
  if (up.length < 2 || up.length - 1 < servers.length / 2) return;
  const [slowest, ...peers] = up
    .map((server) => ({ server, latency: server.latencies.summary(model, nowMs) }))
    .sort((one, other) => other.latency.medianMs - one.latency.medianMs);
  if (!slowest) return;
  const ofPeers = peers.map(({ latency }) => latency);
  if (isSlow(slowest.latency, ofPeers)) slowest.server.ejectAsSlow(nowMs);
}
