import { isSlow, type LatencySummary } from './latencies.ts';
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
  const summaries = up.map((server) => server.latencyOf(model, nowMs) ?? nothing);
  let slowest = 0;
  for (const [index, { medianMs }] of summaries.entries()) {
    if (medianMs > (summaries[slowest] ?? nothing).medianMs) slowest = index;
  }
  const peers = summaries.filter((_, index) => index !== slowest);
  if (isSlow(summaries[slowest] ?? nothing, peers)) up[slowest]?.ejectAsSlow(nowMs);
}

const nothing: LatencySummary = { count: 0, medianMs: 0 };
