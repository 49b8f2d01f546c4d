/**
 * Writes a stream to Redis while it comes in. What arrives during a write goes out together with the next one, and
 * what Redis did not take is sent again under the same number, so that a lost reply changes nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './connection.ts';

export interface StreamEnd {
  /** How many pieces there are. */
  readonly pieces: number;
  readonly bytes: number;
}

export interface PieceWriter {
  /**
   * Never waits. What one call gives is never torn apart unless it is longer than a chunk: give whole events.
   * @returns false when the stream would be longer than it may be, or has ended: then nothing of it was taken
   */
  append(bytes: Buffer): boolean;
  /** Writes what is left and that this was all. After `limitMs` it gives up, and readers never see an end. */
  close(limitMs: number): Promise<Answer<StreamEnd>>;
  /** Forgets what is left. Readers never see an end. */
  abandon(): void;
}

export interface PieceSink {
  /** Harmless when repeated. */
  writePiece(number: number, bytes: Buffer): Promise<Answer<unknown>>;
  writeEnd(end: StreamEnd): Promise<Answer<unknown>>;
}

/** The first piece goes at once; after it, what comes within this time goes together. */
const GATHER_MS = 50;
const RETRY_MS = 100;

export function pieceWriter(sink: PieceSink, bytesMax: number, pieceBytesMax: number): PieceWriter {
  const ending = new AbortController();
  let pending: Buffer[] = [];
  let pieces = 0;
  let bytes = 0;
  let abandoned = false;
  let working: Promise<void> | undefined;

  /** Pauses are cut short by the end. */
  const pause = (ms: number) =>
    sleep(ms, undefined, { signal: ending.signal, ref: false }).catch(() => undefined);

  const drain = async () => {
    while (pending.length > 0 && !abandoned) {
      const piece = takePiece(pending, pieceBytesMax);
      while (!abandoned && !(await sink.writePiece(pieces, piece)).ok) await sleep(RETRY_MS);
      pieces += 1;
      await pause(GATHER_MS);
    }
    working = undefined;
  };

  const abandon = () => {
    abandoned = true;
    pending = [];
    ending.abort();
  };

  const finish = async (): Promise<Answer<StreamEnd>> => {
    await working;
    const end = { pieces, bytes };
    for (;;) {
      const written = await sink.writeEnd(end);
      if (written.ok) return { ok: true, value: end };
      if (abandoned) return written;
      await sleep(RETRY_MS);
    }
  };

  return {
    append(more) {
      if (ending.signal.aborted || bytes + more.length > bytesMax) return false;
      bytes += more.length;
      pending.push(more);
      working ??= drain();
      return true;
    },
    async close(limitMs) {
      ending.abort();
      const late = setTimeout(abandon, limitMs);
      const ended = await finish();
      clearTimeout(late);
      return abandoned && ended.ok
        ? { ok: false, failure: { kind: 'unavailable', cause: 'too late' } }
        : ended;
    },
    abandon,
  };
}

/** Takes from the front as much as one piece may hold; a buffer that is longer by itself is cut. */
function takePiece(pending: Buffer[], bytesMax: number): Buffer {
  const first = pending[0] as Buffer;
  if (first.length > bytesMax) {
    pending[0] = first.subarray(bytesMax);
    return first.subarray(0, bytesMax);
  }
  let count = 0;
  let bytes = 0;
  for (const { length } of pending) {
    if (bytes + length > bytesMax) break;
    bytes += length;
    count += 1;
  }
  return Buffer.concat(pending.splice(0, count));
}
