/**
 * Which version of a model a call meets. Without stickiness a random number decides. With it, each version gets a
 * number that follows from the key and the version alone, and the largest wins (rendezvous hashing). The numbers are
 * weighted as by Schindelhauer and Schomaker, "Weighted distributed hash tables": with u uniform between 0 and 1,
 * weight / -ln(u) is largest for each version in proportion to its weight. A weight that changes therefore moves only
 * the keys that come to that version or leave it, which intervals on a line would not do.
 */

import { HASH_START, hashText, mixBits } from './choice/text-hash.ts';

export interface Weighted {
  readonly weight: number;
  /** Hash of its name. */
  readonly hash: number;
}

const RANGE = 0x1_0000_0000;

/** Of a name: 32 bits, spread so that names which differ little lie far apart. */
export function hashOf(text: string): number {
  return mixBits(hashText(HASH_START, text, text.length));
}

/** Undefined only where no version has a weight. */
export function byHash<Version extends Weighted>(
  versions: readonly Version[],
  stickyHash: number,
): Version | undefined {
  let chosen: Version | undefined;
  let best = 0;
  for (const version of versions) {
    const uniform = (mixBits(stickyHash ^ version.hash) + 0.5) / RANGE;
    const score = version.weight / -Math.log(uniform);
    if (score <= best) continue;
    chosen = version;
    best = score;
  }
  return chosen;
}

/** Undefined only where no version has a weight. */
export function byChance<Version extends Weighted>(
  versions: readonly Version[],
  random: () => number,
): Version | undefined {
  let total = 0;
  for (const { weight } of versions) total += weight;
  let left = random() * total;
  let last: Version | undefined;
  for (const version of versions) {
    if (version.weight === 0) continue;
    last = version;
    left -= version.weight;
    if (left < 0) return version;
  }
  return last;
}
