import { setTimeout as pause } from 'node:timers/promises';

const ATTEMPTS_MAX = 40;
const PAUSE_MAX_MS = 8;

/**
 * Repeats an attempt that reads, edits and writes, for as long as it answers undefined because somebody else
 * wrote in between. Undefined when that went on for too long.
 */
export async function untilWritten<T>(attempt: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let count = 1; count <= ATTEMPTS_MAX; count += 1) {
    const result = await attempt();
    if (result !== undefined) return result;
    await pause(Math.random() * PAUSE_MAX_MS);
  }
  return undefined;
}
