/**
 * Which version of a model a call meets. Without stickiness a random number decides. With it, each version gets a
 * number that follows from the key and the version alone, and the largest wins (rendezvous hashing). The numbers are
 * weighted as by Schindelhauer and Schomaker, "Weighted distributed hash tables": with u uniform between 0 and 1,
 * weight / -ln(u) is largest for each version in proportion to its weight. A weight that changes therefore moves only
 * the keys that come to that version or leave it, which intervals on a line would not do.
 */

export interface Weighted {
  readonly weight: number;
  /** Hash of its name. */
  readonly hash: number;
}

const RANGE = 0x1_0000_0000;

/** FNV-1a over the characters, then the end of MurmurHash3, so that names which differ little spread. 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return mixed(hash);
}

function mixed(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Undefined only where no version has a weight. */
export function byHash<Version extends Weighted>(
  versions: readonly Version[],
  stickyHash: number,
): Version | undefined {
  let chosen: Version | undefined;
  let best = 0;
  for (const version of versions) {
    const uniform = (mixed(stickyHash ^ version.hash) + 0.5) / RANGE;
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
