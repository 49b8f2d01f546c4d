/** FNV-1a with 32 bits (G. Fowler, L. C. Noll, K.-P. Vo, 1991), fed with UTF-16 code units instead of bytes. */
export const HASH_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Goes on from `hash` over the first `charactersMax` characters. About a nanosecond for each. */
export function hashText(hash: number, text: string, charactersMax: number): number {
  const end = Math.min(text.length, charactersMax);
  let state = hash;
  for (let index = 0; index < end; index++) state = Math.imul(state ^ text.charCodeAt(index), FNV_PRIME);
  return state;
}

/**
 * Spreads every bit over all others, which FNV does not: its last characters hardly reach the upper bits. The
 * finaliser of MurmurHash3 (Austin Appleby, public domain). 32 bits, unsigned.
 */
export function mixBits(hash: number): number {
  let state = hash ^ (hash >>> 16);
  state = Math.imul(state, 0x85ebca6b);
  state ^= state >>> 13;
  state = Math.imul(state, 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
