import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { invalidKey } from '../admission/keys/key-refusals.ts';
import { type Refusal, RefusalError, refusal } from '../core/errors.ts';
import { type JsonFault, JsonScanner, MEMBERS_MAX, type Member } from '../core/json-scan.ts';

/** A JSON object as it came and as it reads. */
export interface JsonBody {
  readonly bytes: Buffer;
  readonly value: Record<string, unknown>;
  /** Where in `bytes` the value of each top-level member lies. */
  readonly members: ReadonlyMap<string, Member>;
}

const LIMITS = { depthMax: 64, valuesMax: 100_000 };

const faults: Record<JsonFault, string> = {
  too_deep: `The body is nested more than ${LIMITS.depthMax} deep.`,
  too_many_values: `The body has more than ${LIMITS.valuesMax} values.`,
  too_many_members: `The body has more than ${MEMBERS_MAX} top-level fields.`,
  duplicate_member: 'The body names a top-level field twice.',
  member_name: 'The body has a top-level field whose name is not allowed.',
};

type Done<T> = (error: Error | null, body?: T) => void;

/** Collects a body of at most `limitBytes`; `look` sees each piece as it arrives and may refuse by throwing. */
function collect(
  payload: IncomingMessage,
  request: FastifyRequest,
  limitBytes: number,
  look: (piece: Buffer) => void,
  done: Done<Buffer>,
): void {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const signed = request.call.signature?.body;
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limitBytes) return done(tooLarge(limitBytes));
  const stop = (error: Error) => {
    // Node reads the rest away, for as long as the body time-out allows.
    payload.removeListener('data', onData).removeListener('end', onEnd);
    payload.resume();
    done(error);
  };
  const onData = (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > limitBytes) return stop(tooLarge(limitBytes));
    try {
      look(piece);
    } catch (error) {
      return stop(error as Error);
    }
    signed?.update(piece);
    pieces.push(piece);
  };
  const onEnd = () => {
    request.call.bytesIn = bytes;
    if (signed !== undefined && !signed.holds()) return done(new RefusalError(bodyNotSigned(request)));
    const [only] = pieces;
    done(null, only && pieces.length === 1 ? only : Buffer.concat(pieces));
  };
  payload.on('data', onData).on('end', onEnd);
}

/** Nothing has been read from the body yet, so nothing was decided by it. */
function bodyNotSigned({ call }: FastifyRequest): Refusal {
  return invalidKey(`signature of another body ${call.signature?.signer}`);
}

function tooLarge(limitBytes: number): RefusalError {
  const message = `The body is larger than ${limitBytes} bytes.`;
  return new RefusalError(refusal('request_too_large', message));
}

function refuseEncoding(request: FastifyRequest): RefusalError | undefined {
  const encoding = request.headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return undefined;
  return new RefusalError(refusal('unsupported_media_type', 'A compressed body is not supported.'));
}

/** Parser of JSON objects: bounded, scanned while it arrives, then parsed. */
export function jsonBodyParser(limitBytes: number) {
  return (request: FastifyRequest, payload: IncomingMessage, done: Done<JsonBody>): void => {
    const encoded = refuseEncoding(request);
    if (encoded) return done(encoded);
    const scanner = new JsonScanner(LIMITS);
    const look = (piece: Buffer) => {
      if (!scanner.feed(piece)) throw complexity(scanner);
    };
    collect(payload, request, limitBytes, look, (error, bytes) => {
      if (error || !bytes) return done(error);
      const value = parse(bytes);
      if (value instanceof RefusalError) return done(value);
      done(null, { bytes, value, members: scanner.members });
    });
  };
}

/** Parser for pass-through routes: any bytes; JSON is held to the same bounds. */
export function plainBodyParser() {
  return (request: FastifyRequest, payload: IncomingMessage, done: Done<Buffer>): void => {
    const encoded = refuseEncoding(request);
    if (encoded) return done(encoded);
    const isJson = request.headers['content-type']?.toLowerCase().includes('json') === true;
    const scanner = new JsonScanner(LIMITS);
    const look = (piece: Buffer) => {
      if (isJson && !scanner.feed(piece)) throw complexity(scanner);
    };
    collect(payload, request, request.routeOptions.bodyLimit, look, done);
  };
}

function complexity(scanner: JsonScanner): RefusalError {
  const message = scanner.fault ? faults[scanner.fault] : 'The body is not valid JSON.';
  return new RefusalError(refusal('json_too_complex', message));
}

function parse(bytes: Buffer): Record<string, unknown> | RefusalError {
  let value: unknown;
  try {
    value = JSON.parse(decode(bytes));
  } catch {
    return new RefusalError(refusal('invalid_json', 'The body is not valid JSON.'));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return new RefusalError(refusal('invalid_json', 'The body must be a JSON object.'));
  }
  return value as Record<string, unknown>;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Buffer): string {
  return utf8.decode(bytes);
}
