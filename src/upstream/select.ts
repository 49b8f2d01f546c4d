import type { Upstream } from './upstream.ts';

/** Of those that answer their probes, or of all where none does, the one with the least in flight here. */
export function select(pool: readonly Upstream[]): Upstream | undefined {
  const healthy = pool.filter((upstream) => upstream.health === 'healthy');
  let chosen: Upstream | undefined;
  for (const upstream of healthy.length > 0 ? healthy : pool) {
    if (!chosen || upstream.load.inFlight < chosen.load.inFlight) chosen = upstream;
  }
  return chosen;
}
