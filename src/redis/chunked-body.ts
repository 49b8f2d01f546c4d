/**
 * A body as it lies in Redis: compressed unless it is short, cut into chunks, all of them in one hash that expires by
 * itself.
 *
 *     <n>     chunk n, from 0
 *     about   JSON `About`, written last: a hash without it is a body that nobody has finished
 *
 * Each chunk is written together with the lifetime, so that no crash leaves one without. Two writers of one body, or
 * a chunk that arrives after its hash has expired, make a hash whose sum does not fit, never another body.
 */
import { createHash } from 'node:crypto';
import { Readable, type Transform } from 'node:stream';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import type { ChunkGate } from './chunk-gate.ts';
import type { Answer, RedisConnection } from './connection.ts';
import type { RedisClient } from './options.ts';
import {
  type About,
  COMPRESSION,
  expandedSmall,
  isSmall,
  isZlibError,
  packed,
  parsedAbout,
  type ReadBody,
  SMALL_BYTES,
} from './packed-body.ts';
import { transacted } from './transaction.ts';

/** What Redis allocates for it, with its own header, is then 256 KiB and not the 320 of the next size. */
export const CHUNK_BYTES = 255 * 1024;
/** Fed to the compressor and to the sum at once: bounds how long the event loop is held. */
const SLICE_BYTES = 256 * 1024;
/** Chunks of one body on their way at once. */
const AHEAD_MAX = 2;

export interface StoredBody {
  readonly bytes: number;
  /** What it takes in Redis. */
  readonly storedBytes: number;
}

export class DamagedBody extends Error {}

/** Stands behind the last chunk where Redis did not answer. */
class StoreAway extends Error {
  readonly answer: Answer<never>;
  constructor(answer: Answer<never>) {
    super('Redis does not answer');
    this.answer = answer;
  }
}

export interface ChunkedBodies {
  /**
   * Writes over what stands there. Holds no more than a few chunks beside the body.
   * @param lifetimeMs from each chunk on; the last counts
   * @returns `damaged` when it expired, or another one wrote it, meanwhile
   */
  write(key: string, body: Buffer, lifetimeMs: number): Promise<Answer<StoredBody | 'damaged'>>;
  /** @param bytesMax a longer one counts as damaged */
  read(key: string, bytesMax: number): Promise<Answer<ReadBody>>;
  /**
   * Piece by piece, as it is read; whether it was whole is known at its end only.
   * @returns `missing` before the first piece; throws `DamagedBody` behind the last one, and when Redis is away
   */
  stream(key: string, bytesMax: number): Promise<Answer<AsyncIterable<Buffer> | 'missing'>>;
}

export function chunkedBodies({ ask }: RedisConnection, gate: ChunkGate): ChunkedBodies {
  const writeChunk = (key: string, number: number, chunk: Buffer, lifetimeMs: number) =>
    gate.pass(() =>
      ask(async (client) => {
        const steps = client.multi();
        if (number === 0) steps.unlink(key);
        await transacted(steps.hset(key, String(number), chunk).pexpire(key, lifetimeMs).exec());
      }, 'payload'),
    );

  const finish = (key: string, about: About, lifetimeMs: number) =>
    ask(async (client) => {
      const steps = client.multi().hset(key, 'about', JSON.stringify(about)).pexpire(key, lifetimeMs);
      const [, , fields] = await transacted(steps.hlen(key).exec());
      return fields === about.chunks + 1;
    }, 'payload');

  const readAbout = (key: string) =>
    ask(async (client) => parsedAbout(await client.hget(key, 'about')), 'payload');

  const chunksOf = async function* (key: string, count: number) {
    const ahead: Promise<Answer<Buffer | null>>[] = [];
    const fetch = (number: number) => {
      const chunk = gate.pass(() => ask((client) => readChunk(client, key, number), 'payload'));
      chunk.catch(() => undefined); // whoever leaves the loop early waits for none of them
      ahead.push(chunk);
    };
    for (let number = 0; number < count; number += 1) {
      while (ahead.length < Math.min(AHEAD_MAX, count - number)) fetch(number + ahead.length);
      const chunk = await (ahead.shift() as Promise<Answer<Buffer | null>>);
      if (!chunk.ok) throw new StoreAway(chunk);
      if (chunk.value === null) throw new DamagedBody('a chunk is missing');
      yield chunk.value;
    }
  };

  /** A small body in one step, without the cost of streams. */
  const writeSmall = (key: string, body: Buffer, lifetimeMs: number) =>
    ask(async (client): Promise<StoredBody> => {
      const { chunk, about } = packed(body);
      const steps = client.multi().unlink(key).hset(key, '0', chunk, 'about', about).pexpire(key, lifetimeMs);
      await transacted(steps.exec());
      return { bytes: body.length, storedBytes: chunk.length };
    }, 'payload');

  /** What it is, and the first chunk of it: all of a small body. */
  const readBeginning = (key: string) =>
    ask(async (client) => {
      const [about, first] = await client.hmgetBuffer(key, 'about', '0');
      return { about: parsedAbout(about?.toString() ?? null), first: first ?? null };
    }, 'payload');

  return {
    async write(key, body, lifetimeMs) {
      if (isSmall(body)) return writeSmall(key, body, lifetimeMs);
      const sum = createHash('sha256');
      const ahead: Promise<Answer<void>>[] = [];
      let chunks = 0;
      let storedBytes = 0;
      for await (const chunk of inChunks(compressed(body, (slice) => sum.update(slice)))) {
        const writing = writeChunk(key, chunks, chunk, lifetimeMs);
        writing.catch(() => undefined); // it is awaited below, perhaps after another one has failed
        ahead.push(writing);
        chunks += 1;
        storedBytes += chunk.length;
        // The first one makes the hash anew: no other may overtake it.
        if (ahead.length < AHEAD_MAX && chunks > 1) continue;
        const written = await (ahead.shift() as Promise<Answer<void>>);
        if (written.ok) continue;
        await Promise.all(ahead);
        return written;
      }
      for (const written of await Promise.all(ahead)) if (!written.ok) return written;
      const about = { chunks, bytes: body.length, sha256: sum.digest('hex') };
      const finished = await finish(key, about, lifetimeMs);
      if (!finished.ok) return finished;
      return { ok: true, value: finished.value ? { bytes: body.length, storedBytes } : 'damaged' };
    },

    async read(key, bytesMax) {
      const beginning = await readBeginning(key);
      if (!beginning.ok) return beginning;
      const { about, first } = beginning.value;
      if (!about) return { ok: true, value: { kind: 'missing' } };
      if (about.chunks === 1 && about.bytes <= Math.min(SMALL_BYTES, bytesMax)) {
        return { ok: true, value: expandedSmall(about, first) };
      }
      const pieces: Buffer[] = [];
      try {
        for await (const piece of checked(about, chunksOf(key, about.chunks), bytesMax)) {
          pieces.push(piece);
        }
        return { ok: true, value: { kind: 'whole', body: Buffer.concat(pieces) } };
      } catch (error) {
        if (error instanceof StoreAway) return error.answer;
        if (error instanceof DamagedBody) return { ok: true, value: { kind: 'damaged' } };
        throw error;
      }
    },

    async stream(key, bytesMax) {
      const about = await readAbout(key);
      if (!about.ok) return about;
      if (!about.value) return { ok: true, value: 'missing' };
      return { ok: true, value: checked(about.value, chunksOf(key, about.value.chunks), bytesMax) };
    },
  };
}

function readChunk(client: RedisClient, key: string, number: number): Promise<Buffer | null> {
  return client.hgetBuffer(key, String(number));
}

function compressed(body: Buffer, onSlice: (slice: Buffer) => void): Readable {
  const slices = function* () {
    for (let at = 0; at < body.length; at += SLICE_BYTES) {
      const slice = body.subarray(at, at + SLICE_BYTES);
      onSlice(slice);
      yield slice;
    }
  };
  return piped(Readable.from(slices()), createZstdCompress({ chunkSize: CHUNK_BYTES, params: COMPRESSION }));
}

/** What the source throws comes out of the other end. */
function piped(source: Readable, transform: Transform): Transform {
  source.on('error', (error) => transform.destroy(error));
  transform.on('close', () => source.destroy());
  return source.pipe(transform);
}

/** All of `CHUNK_BYTES` but the last; at least one. */
async function* inChunks(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    held.push(piece);
    bytes += piece.length;
    while (bytes >= CHUNK_BYTES) {
      const all = Buffer.concat(held);
      yield all.subarray(0, CHUNK_BYTES);
      held = [all.subarray(CHUNK_BYTES)];
      bytes -= CHUNK_BYTES;
    }
  }
  if (bytes > 0) yield Buffer.concat(held);
}

/** Expands no more than was promised, whatever the chunks say. */
async function* checked(
  { bytes, sha256, plain }: About,
  chunks: AsyncIterable<Buffer>,
  bytesMax: number,
): AsyncGenerator<Buffer> {
  if (bytes > bytesMax) throw new DamagedBody('longer than it may be');
  const sum = createHash('sha256');
  let seen = 0;
  try {
    for await (const piece of plain ? chunks : expanded(chunks)) {
      seen += piece.length;
      if (seen > bytes) throw new DamagedBody('longer than it was');
      sum.update(piece);
      yield piece;
    }
  } catch (error) {
    throw isZlibError(error) ? new DamagedBody('cannot be expanded') : error;
  }
  if (seen !== bytes || sum.digest('hex') !== sha256) throw new DamagedBody('not what was written');
}

function expanded(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  return piped(Readable.from(chunks), createZstdDecompress({ chunkSize: SLICE_BYTES }));
}
