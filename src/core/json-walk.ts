/**
 * Finds places in JSON that has been parsed already, so that a text in the middle of it is changed by splicing some
 * bytes. On bytes that are not JSON the places mean nothing, but every walk ends.
 */
import type { Member } from './json-scan.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
/** A string is walked this far byte by byte before the native search takes over. */
const NEAR = 32;

/** Where the value that begins at `start` ends; exclusive, never more than the length. */
export function endOfValue(bytes: Buffer, start: number): number {
  if (bytes[start] === QUOTE) return endOfString(bytes, start);
  if (!opens(bytes[start])) return endOfScalar(bytes, start);
  let depth = 0;
  let at = start;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at);
      continue;
    }
    at += 1;
    if (opens(byte)) depth += 1;
    else if (closes(byte)) depth -= 1;
    if (depth === 0) return at;
  }
  return bytes.length;
}

/** The place of the first value inside an array or object; of its end where there is none. */
export function startOfFirst(bytes: Buffer, container: Member): number {
  return nextToken(bytes, container.start + 1);
}

/** The values of an array, in order. */
export function* elementsOf(bytes: Buffer, array: Member): Generator<Member> {
  let start = startOfFirst(bytes, array);
  while (start < array.end - 1) {
    const end = endOfValue(bytes, start);
    yield { start, end };
    start = nextToken(bytes, end);
  }
}

/**
 * The value at a path of names and indices. Where a name is repeated the last one counts, as for `JSON.parse`.
 * @param from an object or array
 */
export function locate(bytes: Buffer, from: Member, path: readonly (string | number)[]): Member | undefined {
  let found: Member | undefined = from;
  for (const step of path) {
    found = typeof step === 'string' ? memberOf(bytes, found, step) : elementAt(bytes, found, step);
    if (!found) return undefined;
  }
  return found;
}

function memberOf(bytes: Buffer, object: Member, name: string): Member | undefined {
  if (bytes[object.start] !== 0x7b) return undefined;
  let found: Member | undefined;
  let at = startOfFirst(bytes, object);
  while (at < object.end && bytes[at] === QUOTE) {
    const nameEnd = endOfString(bytes, at);
    const start = nextToken(bytes, nameEnd);
    const end = endOfValue(bytes, start);
    if (nameOf(bytes, at, nameEnd) === name) found = { start, end };
    at = nextToken(bytes, end);
  }
  return found;
}

function elementAt(bytes: Buffer, array: Member, index: number): Member | undefined {
  if (bytes[array.start] !== 0x5b) return undefined;
  let left = index;
  for (const element of elementsOf(bytes, array)) {
    if (left === 0) return element;
    left -= 1;
  }
  return undefined;
}

function nameOf(bytes: Buffer, start: number, end: number): string {
  const name = bytes.toString('utf8', start + 1, end - 1);
  if (!name.includes('\\')) return name;
  try {
    return JSON.parse(`"${name}"`) as string;
  } catch {
    return name;
  }
}

/** Behind the closing quote. Native searches alone would be slow where every second byte is an escaped quote. */
function endOfString(bytes: Buffer, start: number): number {
  const { length } = bytes;
  let at = start + 1;
  while (at < length) {
    const near = Math.min(length, at + NEAR);
    while (at < near && bytes[at] !== QUOTE && bytes[at] !== BACKSLASH) at += 1;
    if (at < near) {
      if (bytes[at] === QUOTE) return at + 1;
      at += 2;
      continue;
    }
    const quote = bytes.indexOf(QUOTE, at);
    if (quote < 0) return length;
    let slashes = 0;
    while (bytes[quote - 1 - slashes] === BACKSLASH) slashes += 1;
    at = quote + 1;
    if (slashes % 2 === 0) return at;
  }
  return length;
}

function endOfScalar(bytes: Buffer, start: number): number {
  let at = start + 1;
  while (at < bytes.length && !isBetween(bytes[at]) && !closes(bytes[at])) at += 1;
  return Math.min(at, bytes.length);
}

/** The next byte that is neither white space nor a comma or colon. */
function nextToken(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && isBetween(bytes[at])) at += 1;
  return at;
}

function isBetween(byte: number | undefined): boolean {
  return byte === COMMA || byte === COLON || (byte !== undefined && byte <= SPACE);
}

function opens(byte: number | undefined): boolean {
  return byte === 0x7b || byte === 0x5b;
}

function closes(byte: number | undefined): boolean {
  return byte === 0x7d || byte === 0x5d;
}
