/**
 * The stream that an attempt of a job got, as it lies in Redis:
 *
 *     <n>   piece n, from 0: CRC-32 of its bytes (4 bytes, big endian), then the bytes
 *     end   JSON `StreamEnd`; a hash without it is a stream that still runs, or whose worker has died
 *
 * Of an attempt there is one writer. Pieces are small and short-lived, so they are not compressed.
 */
import { crc32 } from 'node:zlib';
import { CHUNK_BYTES } from './chunked-body.ts';
import type { Answer, RedisConnection } from './connection.ts';
import { type PieceWriter, pieceWriter, type StreamEnd } from './piece-writer.ts';
import { transacted } from './transaction.ts';

export type ReadPieces =
  | {
      readonly kind: 'pieces';
      /** May be none: it has not come so far yet. */
      readonly pieces: readonly Buffer[];
      /** The number to ask for next. */
      readonly next: number;
      /** Nothing will come after these. */
      readonly isEnd: boolean;
    }
  /** Not begun, deleted, or expired. */
  | { readonly kind: 'missing' }
  /** A piece is gone, or is not what was written. */
  | { readonly kind: 'damaged' };

export interface PieceTable {
  /** @param lifetimeMs from each piece on; the last counts */
  begin(jobId: string, attempt: number, bounds: { lifetimeMs: number; bytesMax: number }): PieceWriter;
  /** Some pieces from a number on, at most 16: a few megabytes. */
  read(jobId: string, attempt: number, from: number, countMax?: number): Promise<Answer<ReadPieces>>;
}

const CRC_BYTES = 4;
const READ_PIECES_MAX = 16;

export function pieceTable({ ask, keys }: RedisConnection): PieceTable {
  const write = (key: string, lifetimeMs: number, field: string, value: Buffer | string, news: string) =>
    ask(
      (client) =>
        transacted(
          client
            .multi()
            .hset(key, field, value)
            .pexpire(key, lifetimeMs)
            .publish(keys.pieceNews(), news)
            .exec(),
        ),
      'payload',
    );

  return {
    begin(jobId, attempt, { lifetimeMs, bytesMax }) {
      const key = keys.pieces(jobId, attempt);
      const news = (count: number) => `${jobId} ${attempt} ${count}`;
      const sink = {
        writePiece: (number: number, bytes: Buffer) =>
          write(key, lifetimeMs, String(number), withSum(bytes), news(number + 1)),
        writeEnd: (end: StreamEnd) => write(key, lifetimeMs, 'end', JSON.stringify(end), news(end.pieces)),
      };
      return pieceWriter(sink, bytesMax, CHUNK_BYTES - CRC_BYTES);
    },

    read: (jobId, attempt, from, countMax = READ_PIECES_MAX) =>
      ask(async (client) => {
        const key = keys.pieces(jobId, attempt);
        const fields = Array.from({ length: Math.min(countMax, READ_PIECES_MAX) }, (_, index) =>
          String(from + index),
        );
        const [exists, [end, ...found]] = await Promise.all([
          client.exists(key),
          client.hmgetBuffer(key, 'end', ...fields),
        ]);
        if (exists === 0) return { kind: 'missing' };
        return readPieces(found, from, end ? (JSON.parse(end.toString()) as StreamEnd) : undefined);
      }, 'payload'),
  };
}

function readPieces(found: readonly (Buffer | null)[], from: number, end: StreamEnd | undefined): ReadPieces {
  const pieces: Buffer[] = [];
  for (const stored of found) {
    if (!stored) break;
    const bytes = stored.subarray(CRC_BYTES);
    if (stored.length < CRC_BYTES || crc32(bytes) !== stored.readUInt32BE()) return { kind: 'damaged' };
    pieces.push(bytes);
  }
  const next = from + pieces.length;
  if (end && next < end.pieces && pieces.length < found.length) return { kind: 'damaged' };
  return { kind: 'pieces', pieces, next, isEnd: end !== undefined && next >= end.pieces };
}

function withSum(bytes: Buffer): Buffer {
  const stored = Buffer.allocUnsafe(CRC_BYTES + bytes.length);
  stored.writeUInt32BE(crc32(bytes));
  bytes.copy(stored, CRC_BYTES);
  return stored;
}
