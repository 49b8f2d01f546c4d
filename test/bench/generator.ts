/** The load generator's process: one load at a time, asked for and answered by message. */
import type { Load } from './load.ts';
import { runCalls } from './load-calls.ts';
import { runStreams } from './load-streams.ts';

process.on('message', async (load: Load) => {
  const result = load.kind === 'calls' ? runCalls(load) : runStreams(load);
  process.send?.(await result.catch((error: Error) => ({ failure: error.message })));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });
