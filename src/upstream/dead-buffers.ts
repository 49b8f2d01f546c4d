/**
 * What large answers leave behind is collected soon.
 *
 * Each read from a GPU server fills a buffer of up to 64 KB outside V8's heap. V8 lets 64 MB of dead ones lie there
 * until it collects, and the allocator does not give back what it once had: a hundred answers that began at once, to
 * callers who did not read them, made a gateway larger by 80 to 120 MB, of which 25 MB were in use. A collection of
 * the young generation for each `EVERY_BYTES` takes 2 to 3 ms and spares the larger ones: relaying 16 MB took 44 ms
 * of CPU with it and 70 without.
 *
 * The garbage is the whole process', so the count is too.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const EVERY_BYTES = 16_777_216;

type Collect = (what: { readonly type: 'minor' }) => void;

let collect: Collect | undefined;
let bytesSince = 0;

/** @param bytes that have been read since the last time, in pieces of which most are large */
export function largeAnswerRead(bytes: number): void {
  bytesSince += bytes;
  if (bytesSince < EVERY_BYTES) return;
  bytesSince = 0;
  collect ??= exposedCollector();
  collect({ type: 'minor' });
}

/** Node has no other way to it when it was started without the flag. */
function exposedCollector(): Collect {
  setFlagsFromString('--expose-gc');
  const exposed = runInNewContext('gc') as Collect;
  setFlagsFromString('--no-expose-gc');
  return exposed;
}
