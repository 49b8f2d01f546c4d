/**
 * Remembers how prompts began, as a GPU server's prefix cache does, so that `cached_tokens` tells whether a
 * prompt came to the server that knows its beginning. Blocks are chained: one that is known was read after the
 * same ones as now.
 */
import { tokensOfBytes } from './prompt.ts';

const BLOCK_CHARACTERS = 256;
const BLOCKS_MAX = 64;
const REMEMBERED_MAX = 65_536;

export interface PrefixCache {
  /** Tokens of the beginning that were seen before; remembers this prompt. */
  read(texts: readonly string[]): number;
}

export function createPrefixCache(): PrefixCache {
  const remembered = new Set<number>();
  const remember = (block: number) => {
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    remembered.add(block);
  };
  return {
    read(texts) {
      let hash = 0x811c9dc5;
      let blocks = 0;
      let cachedBlocks = 0;
      let left = BLOCK_CHARACTERS;
      for (const text of texts) {
        for (let at = 0; at < text.length; ) {
          const end = Math.min(text.length, at + left);
          left -= end - at;
          for (; at < end; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
          if (left > 0) continue;
          left = BLOCK_CHARACTERS;
          blocks++;
          if (remembered.has(hash)) cachedBlocks = blocks;
          else remember(hash);
          if (blocks === BLOCKS_MAX) return cachedTokens(cachedBlocks);
        }
      }
      return cachedTokens(cachedBlocks);
    },
  };
}

function cachedTokens(blocks: number): number {
  return blocks === 0 ? 0 : tokensOfBytes(blocks * BLOCK_CHARACTERS);
}
