/**
 * So many chunks may be on their way at once on one connection, whoever they belong to. What waits for its turn has
 * not been taken out of its body yet, so memory is bounded, and between two chunks of one body others have theirs.
 */
export interface ChunkGate {
  /** Runs the work when it is its turn; turns are given in order of asking. */
  pass<T>(work: () => Promise<T>): Promise<T>;
}

export function chunkGate(placesMax: number): ChunkGate {
  const waiting: (() => void)[] = [];
  let places = placesMax;
  return {
    async pass(work) {
      if (places > 0) places -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else places += 1;
      }
    },
  };
}
