/** Asks one GPU server for its metrics, over HTTP. */
import type { Upstream } from '../upstream.ts';
import { type EngineLoad, engineLoad } from './engine-load.ts';

/** `none`: it has no such metrics. `failed`: it may have, and they could not be had. */
export type LoadAnswer = EngineLoad | 'none' | 'failed';

const ANSWER_BYTES_MAX = 1_000_000;
/** A report that took longer would be old when it comes. */
const TIMEOUT_MS_MAX = 5_000;
const NOT_IMPLEMENTED = 501;

/** What a read of this server takes at most. */
export function readTimeoutMs({ settings }: Upstream): number {
  return Math.min(settings.healthCheck.timeoutMs, TIMEOUT_MS_MAX);
}

/** Within `readTimeoutMs`, and at most a megabyte; never rejects. */
export async function readLoad(upstream: Upstream, path: string): Promise<LoadAnswer> {
  const timeoutMs = readTimeoutMs(upstream);
  try {
    const { statusCode, body } = await upstream.connections(timeoutMs).request({
      method: 'GET',
      path: upstream.basePath + path,
      headers: [...upstream.authorization],
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (statusCode !== 200) {
      await body.dump();
      // llama.cpp says 501 when its metrics are off.
      return statusCode < 500 || statusCode === NOT_IMPLEMENTED ? 'none' : 'failed';
    }
    const text = await textOf(body);
    return (text === undefined ? undefined : engineLoad(text)) ?? 'none';
  } catch {
    return 'failed';
  }
}

/** Undefined when it is longer than metrics are. */
async function textOf(body: AsyncIterable<Buffer>): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > ANSWER_BYTES_MAX) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('latin1');
}
