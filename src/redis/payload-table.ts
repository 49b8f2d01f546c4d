/**
 * Requests and answers of jobs, which are too large for their records. All of it expires by itself; what nobody has
 * deleted or kept longer is gone after the lifetime that it was written with.
 */
import { chunkGate } from './chunk-gate.ts';
import { chunkedBodies, type StoredBody } from './chunked-body.ts';
import type { Answer, RedisConnection } from './connection.ts';
import type { ReadBody } from './packed-body.ts';
import { type PieceTable, pieceTable } from './piece-table.ts';

export interface PayloadBounds {
  readonly requestBytesMax: number;
  readonly resultBytesMax: number;
}

export type WrittenBody = StoredBody | 'too_large' | 'damaged';

export interface PayloadTable {
  /** `damaged`: another one wrote the same body at the same time, or Redis was too slow for the lifetime. */
  writeRequest(jobId: string, body: Buffer, lifetimeMs: number): Promise<Answer<WrittenBody>>;
  readRequest(jobId: string): Promise<Answer<ReadBody>>;
  /** A new lifetime, from now on. @returns false when it is gone already */
  keepRequest(jobId: string, lifetimeMs: number): Promise<Answer<boolean>>;
  /** Nobody will run it any more. */
  dropRequest(jobId: string): Promise<Answer<number>>;

  writeResult(jobId: string, attempt: number, body: Buffer, lifetimeMs: number): Promise<Answer<WrittenBody>>;
  readResult(jobId: string, attempt: number): Promise<Answer<ReadBody>>;
  /** As `stream` of chunked-body.ts. */
  streamResult(jobId: string, attempt: number): Promise<Answer<AsyncIterable<Buffer> | 'missing'>>;
  /** A new lifetime for the answer and the stream of an attempt. @returns false when both are gone */
  keepResult(jobId: string, attempt: number, lifetimeMs: number): Promise<Answer<boolean>>;

  /** The answers that come as a stream. */
  readonly pieces: PieceTable;

  /** Takes away the request, and what the attempts up to this one have left. */
  delete(jobId: string, attempts: number): Promise<Answer<void>>;
}

/** Of all bodies together; each more is a quarter of a megabyte that others wait for. */
const CHUNKS_UNDER_WAY_MAX = 4;
/** More attempts than any job may have. */
const ATTEMPTS_MAX = 100;

/** @param connection one that carries nothing else */
export function payloadTable(connection: RedisConnection, bounds: PayloadBounds): PayloadTable {
  const { ask, keys } = connection;
  const bodies = chunkedBodies(connection, chunkGate(CHUNKS_UNDER_WAY_MAX));
  const write = async (key: string, body: Buffer, bytesMax: number, lifetimeMs: number) =>
    body.length > bytesMax
      ? ({ ok: true, value: 'too_large' } as const)
      : await bodies.write(key, body, lifetimeMs);
  const keep = (names: readonly string[], lifetimeMs: number) =>
    ask(async (client) => {
      const kept = await Promise.all(names.map((name) => client.pexpire(name, lifetimeMs)));
      return kept.includes(1);
    }, 'payload');

  return {
    writeRequest: (jobId, body, lifetimeMs) =>
      write(keys.payload(jobId), body, bounds.requestBytesMax, lifetimeMs),
    readRequest: (jobId) => bodies.read(keys.payload(jobId), bounds.requestBytesMax),
    keepRequest: (jobId, lifetimeMs) => keep([keys.payload(jobId)], lifetimeMs),
    dropRequest: (jobId) => ask((client) => client.unlink(keys.payload(jobId)), 'payload'),

    writeResult: (jobId, attempt, body, lifetimeMs) =>
      write(keys.result(jobId, attempt), body, bounds.resultBytesMax, lifetimeMs),
    readResult: (jobId, attempt) => bodies.read(keys.result(jobId, attempt), bounds.resultBytesMax),
    streamResult: (jobId, attempt) => bodies.stream(keys.result(jobId, attempt), bounds.resultBytesMax),
    keepResult: (jobId, attempt, lifetimeMs) =>
      keep([keys.result(jobId, attempt), keys.pieces(jobId, attempt)], lifetimeMs),

    pieces: pieceTable(connection),

    delete: (jobId, attempts) =>
      ask(async (client) => {
        const numbers = Array.from({ length: Math.min(attempts, ATTEMPTS_MAX) }, (_, index) => index + 1);
        const names = numbers.flatMap((number) => [keys.result(jobId, number), keys.pieces(jobId, number)]);
        await client.unlink(keys.payload(jobId), ...names);
      }, 'payload'),
  };
}
