/** Ids and time for the routes. */
import { randomBytes } from 'node:crypto';
import type { Engine } from './inquiry.ts';
import type { Settings } from './options.ts';
import { createProse } from './prose.ts';

/** Ids are a random beginning and a count, which is unique and costs nothing. */
export function createEngine(settings: Settings): Engine {
  const beginning = randomBytes(8).toString('hex');
  let count = 0;
  return {
    settings,
    prose: createProse(),
    id(prefix) {
      count++;
      return prefix + beginning + count.toString(16).padStart(16, '0');
    },
    created: () => Math.floor(Date.now() / 1_000),
  };
}
