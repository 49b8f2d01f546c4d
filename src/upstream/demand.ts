/**
 * How much work there is for a pool, in servers: calls that are with a server or wait for one, divided by what keeps
 * one server fully busy. It counts this replica's calls; the sum over all replicas is how many servers are wanted.
 */
import type { Member } from './member.ts';

/** A number of its own for each pool, because a server may stand in several. */
export class Demand {
  /** Calls of this replica that have been sent to a server and have not ended. */
  inFlight = 0;
}

/**
 * 0 or more. Undefined where no member says what it bears: neither `capacity` nor `max_in_flight` is set. Members for
 * which nothing is set count as much as the mean of the others.
 */
export function serversWanted(calls: number, members: readonly Member[]): number | undefined {
  let sum = 0;
  let known = 0;
  for (const { upstream } of members) {
    const capacity = upstream.settings.capacity ?? upstream.settings.maxInFlight;
    if (capacity === undefined) continue;
    sum += capacity;
    known += 1;
  }
  return known === 0 ? undefined : (calls * known) / sum;
}
