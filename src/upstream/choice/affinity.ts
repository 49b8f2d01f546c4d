/**
 * The same beginning to the same server, unless that one is full: rendezvous hashing with bounded load.
 *
 * A GPU server keeps the attention state (KV cache) of prompts that it has seen. The next turn of a conversation, or
 * another call with the same system prompt, costs a fraction where that state lies and all of it anywhere else.
 *
 * Who comes first. Each server scores hash(beginning, server), turned into −weight ÷ ln(uniform hash), and the highest
 * score wins (D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998; weights: C.
 * Schindelhauer, G. Schomaker, "Weighted Distributed Hash Tables", 2005). Replicas agree without speaking. Without a
 * server only its own beginnings move, to as many places as there are servers; with it back they return, and while
 * its weight grows in slow start they return little by little. A ring would need hundreds of points for each server
 * to be as even, which pays from hundreds of servers on; pools are small.
 *
 * When it is full. A popular beginning would drown its server. So nobody takes a call while its load is at its bound,
 *
 *     bound = ⌈weight ÷ all weights × max(c × (load of all + this call), floor × servers)⌉,
 *
 * and the next in rank is asked, which for a popular beginning is always the same one and soon warm as well (V.
 * Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2018). As c is over 1, the bounds
 * add up to more than all loads, so there is always one that is not full. Loads are as this replica sees them
 * (`load-of.ts`): with one beginning for all calls, the fullest of 6 servers had 1.3 × the mean (median) with one
 * replica and 1.45 × with four.
 *
 * The floor is ours. Where little is in flight, c × mean is less than one call and the paper's bound would send the
 * second of two neighbours to a cold server; but GPU servers batch, and a few calls side by side cost each of them
 * nearly nothing. Bounds begin to bind where they have something to protect.
 */
import type { Candidate } from './power-of-two.ts';
import { HASH_START, hashText, mixBits } from './text-hash.ts';

export interface AffinityBound {
  /** Over 1: how far over the mean of its peers a server may be. Less evens out, more keeps warm. */
  readonly factor: number;
  /** Calls at once, for a server of mean weight, that are never too many. At least 1. */
  readonly floor: number;
}

export const usualBound: AffinityBound = { factor: 1.25, floor: 4 };

const KEY_CHARACTERS_MAX = 256;

/** @param hash from `affinityHash`, 32 bits. Undefined only where there are no candidates. */
export function chooseByAffinity<C extends Candidate>(
  candidates: readonly C[],
  hash: number,
  bound: AffinityBound,
): C | undefined {
  const loads = candidates.map((candidate) => candidate.load());
  const perWeight = roomPerWeight(candidates, loads, bound);
  let best: C | undefined;
  let bestScore = 0;
  for (const [index, candidate] of candidates.entries()) {
    if ((loads[index] ?? 0) >= Math.ceil(perWeight * candidate.weight)) continue;
    const score = scoreOf(candidate, hash);
    if (best && score <= bestScore) continue;
    best = candidate;
    bestScore = score;
  }
  return best;
}

/** What a server of weight 1 may have in flight, this call included. */
function roomPerWeight(
  candidates: readonly Candidate[],
  loads: readonly number[],
  { factor, floor }: AffinityBound,
): number {
  let weights = 0;
  let load = 0;
  for (const { weight } of candidates) weights += weight;
  for (const one of loads) load += one;
  return Math.max(factor * (load + 1), floor * candidates.length) / weights;
}

const HASHES = 2 ** 32;

/** Over 0; of two servers the one with twice the weight is ahead for two of three hashes. */
function scoreOf({ key, weight }: Candidate, hash: number): number {
  const own = hashText(HASH_START, key, KEY_CHARACTERS_MAX);
  const uniform = (mixBits(mixBits(own) ^ hash) + 0.5) / HASHES;
  return -weight / Math.log(uniform);
}
