/**
 * Least load by two random choices.
 *
 * Why not simply the least loaded server? Because a replica knows its own calls exactly, and all others only from
 * reports that are seconds old. Every replica reads the same reports, so each would send all it has to the one
 * server that looked empty, until the next report shows it flooded and another one empty: a herd. Of two servers
 * drawn at random the better one is as good as certain not to be the worst, while no server can attract more than
 * the share with which it is drawn, whatever the reports say. With fresh figures the fullest of n servers has
 * log log n + O(1) more than the mean instead of log n / log log n with one draw (M. Mitzenmacher, "The Power of Two
 * Choices in Randomized Load Balancing", 2001); with stale ones it is better than the minimum over all ("How Useful
 * Is Old Information?", 2000).
 *
 * Weights count twice, and consistently. The two are drawn in proportion to their weights, so the shares are right
 * while all is idle and every comparison is a tie; and loads are compared per weight, so they are right when all is
 * busy. A server in slow start with a weight of 0.1 is drawn seldom and holds one call where the others hold ten.
 * The two drawn are never the same: pools are small, and with two servers half the draws would be no choice.
 */

/** A server that may be chosen now. */
export interface Candidate {
  /** Its name: the same in every replica and after every start. */
  readonly key: string;
  /** Over 0; slow start lowers it. */
  readonly weight: number;
  /** Finite, 0 or more; see `loadOf`. */
  load(): number;
}

/** @param random uniform in [0, 1), as `Math.random`. Undefined only where there are no candidates. */
export function chooseOfTwo<C extends Candidate>(
  candidates: readonly C[],
  random: () => number,
): C | undefined {
  if (candidates.length < 2) return candidates[0];
  let weights = 0;
  for (const { weight } of candidates) weights += weight;
  const first = draw(candidates, random() * weights, undefined);
  if (!first) return undefined;
  const second = draw(candidates, random() * (weights - first.weight), first);
  if (!second) return first;
  // Ties go to the one drawn first, which keeps their shares in proportion.
  return second.load() / second.weight < first.load() / first.weight ? second : first;
}

/** @param point from 0 up to the weight of all but `except` */
function draw<C extends Candidate>(
  candidates: readonly C[],
  point: number,
  except: C | undefined,
): C | undefined {
  let rest = point;
  let drawn: C | undefined;
  for (const candidate of candidates) {
    if (candidate === except) continue;
    drawn = candidate;
    rest -= candidate.weight;
    if (rest < 0) break;
  }
  // Where rounding has left a rest, it is the last one's.
  return drawn;
}
