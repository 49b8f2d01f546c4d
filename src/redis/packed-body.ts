/**
 * What stands beside a body in Redis, and small bodies, which are packed and unpacked in one step, without the cost of
 * streams; `chunked-body.ts` says how they lie there.
 */
import { hash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Up to here a body is compressed and expanded at once: a stream for it would take ten times as long. */
export const SMALL_BYTES = 64 * 1024;
/** Up to here it is not compressed, which would cost as much as all else that is done to store it. */
const PLAIN_BYTES = 2 * 1024;
export const COMPRESSION = { [constants.ZSTD_c_compressionLevel]: 1 };

export interface About {
  readonly chunks: number;
  /** Of the body as it was given. */
  readonly bytes: number;
  /** Of the same, in hex. */
  readonly sha256: string;
  /** True: it lies there as it was given. */
  readonly plain?: boolean;
}

/** A small body as its hash is to hold it, for a script that writes it in a step of its own. */
export interface PackedBody {
  readonly chunk: Buffer;
  readonly about: string;
}

export type ReadBody =
  | { readonly kind: 'whole'; readonly body: Buffer }
  /** Never written to its end, deleted, or expired. */
  | { readonly kind: 'missing' }
  /** A chunk is gone, or is not what was written. */
  | { readonly kind: 'damaged' };

export function isSmall(body: Buffer): boolean {
  return body.length <= SMALL_BYTES;
}

/** Undefined: it is not small. */
export function packSmall(body: Buffer): PackedBody | undefined {
  return isSmall(body) ? packed(body) : undefined;
}

/** The hash of a small body as a script has read it. */
export function unpackSmall(aboutText: string, chunk: Buffer | null): ReadBody {
  const about = parsedAbout(aboutText);
  return about ? expandedSmall(about, chunk) : { kind: 'damaged' };
}

export function packed(body: Buffer): PackedBody {
  const about: About = { chunks: 1, bytes: body.length, sha256: hash('sha256', body) };
  if (body.length <= PLAIN_BYTES) return { chunk: body, about: JSON.stringify({ ...about, plain: true }) };
  return { chunk: zstdCompressSync(body, { params: COMPRESSION }), about: JSON.stringify(about) };
}

export function expandedSmall({ bytes, sha256, plain }: About, chunk: Buffer | null): ReadBody {
  try {
    const body = plain ? chunk : chunk && zstdDecompressSync(chunk, { maxOutputLength: Math.max(1, bytes) });
    const isWhole = body?.length === bytes && hash('sha256', body) === sha256;
    return isWhole ? { kind: 'whole', body } : { kind: 'damaged' };
  } catch (error) {
    if (isZlibError(error)) return { kind: 'damaged' };
    throw error;
  }
}

export function isZlibError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(ZSTD_|Z_|ERR_)/.test(String(error.code));
}

export function parsedAbout(text: string | null): About | undefined {
  if (text === null) return undefined;
  const { chunks, bytes, sha256, plain } = JSON.parse(text) as Partial<About>;
  if (typeof chunks !== 'number' || typeof bytes !== 'number' || typeof sha256 !== 'string') return undefined;
  return { chunks, bytes, sha256, plain: plain === true };
}
