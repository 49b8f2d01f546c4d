import type { Member } from './member.ts';

/**
 * Of those that answer their probes, or of all where none does, the one with the least in flight
 * here for its weight.
 */
export function select(members: readonly Member[]): Member | undefined {
  const healthy = members.filter(({ upstream }) => upstream.health === 'healthy');
  let chosen: Member | undefined;
  for (const member of healthy.length > 0 ? healthy : members) {
    if (!chosen || loadOf(member) < loadOf(chosen)) chosen = member;
  }
  return chosen;
}

function loadOf({ upstream, weight }: Member): number {
  return (upstream.load.inFlight + 1) / weight;
}
