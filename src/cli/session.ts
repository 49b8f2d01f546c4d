import { InvalidArgumentError } from 'commander';
import type { AdminClient } from './admin-client.ts';
import { durationSeconds } from './duration.ts';
import type { Terminal } from './terminal.ts';

/** What every command works with. */
export interface Session {
  readonly terminal: Terminal;
  /** Made at the first call: wrong usage is said before an admin token is asked for. */
  admin(): AdminClient;
}

/** For options that take a length of time; in seconds. */
export function duration(text: string): number {
  const seconds = durationSeconds(text);
  if (seconds === undefined) throw new InvalidArgumentError('Write it like 90s, 15m, 24h, 30d or 2w.');
  return seconds;
}
