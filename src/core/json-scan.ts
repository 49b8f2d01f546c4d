/**
 * Reads JSON as bytes, before and without parsing it, piece by piece as it arrives.
 *
 * It serves two ends. Hostile bodies are stopped early: 20 MB of `[[],[],…]` parse for 1.8 s and block every
 * other request meanwhile, while this pass takes some 20 ms and says no after the first 100,000 values. And it
 * knows where the value of each top-level member begins and ends, so that a model's name is replaced in a
 * megabyte of prompt by splicing some bytes instead of serialising all of it again.
 *
 * It does not validate: on text that `JSON.parse` refuses the members mean nothing. On text that it takes they
 * are exact.
 */

export interface JsonLimits {
  readonly depthMax: number;
  /** Counted as one for each `,`, `[` and `{` outside strings. */
  readonly valuesMax: number;
}

/** Byte offsets of a member's value, counted over all pieces; `end` is exclusive. */
export interface Member {
  readonly start: number;
  readonly end: number;
}

export type JsonFault =
  | 'too_deep'
  | 'too_many_values'
  | 'too_many_members'
  | 'duplicate_member'
  | 'member_name';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SPACE = 0x20;

/** What a byte outside of strings is: nothing to see (space, colon), part of a scalar, or itself. */
const NOTHING = 0;
const SCALAR = 1;
const KINDS = new Uint8Array(256).map((_, byte) => (byte <= SPACE || byte === COLON ? NOTHING : SCALAR));
for (const byte of [QUOTE, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET, COMMA]) KINDS[byte] = byte;

/** A string is walked this far byte by byte before the native search takes over: most strings are short. */
const NEAR = 32;
const MEMBER_NAME_BYTES_MAX = 256;
/** Each has an entry in `members`: 100,000 of them, which come in one turn of the event loop, keep it busy for 80 ms. */
export const MEMBERS_MAX = 10_000;

export class JsonScanner {
  readonly members = new Map<string, Member>();
  fault: JsonFault | undefined;
  /** Offset of the last `}` that brought the depth back to 0; -1 before it. */
  rootEnd = -1;

  readonly #limits: JsonLimits;
  #consumed = 0;
  #depth = 0;
  #values = 0;
  #inString = false;
  #escaped = false;
  #rootIsObject = false;
  /** At depth 1 of an object: is the next string a member's name? */
  #nameNext = false;
  #inName = false;
  #name: Buffer | undefined;
  #memberName = '';
  #valueStart = -1;
  #valueEnd = -1;

  constructor(limits: JsonLimits) {
    this.#limits = limits;
  }

  /** The member whose value has begun but not ended, and where it began. */
  get openMember(): { name: string; start: number } | undefined {
    return this.#valueStart >= 0 ? { name: this.#memberName, start: this.#valueStart } : undefined;
  }

  /** Takes the next piece; false as soon as there is a fault. */
  feed(piece: Buffer): boolean {
    const length = piece.length;
    let at = 0;
    while (at < length && this.fault === undefined) {
      if (this.#inString) {
        at = this.#finishString(piece, at);
        continue;
      }
      const kind = KINDS[piece[at] as number] as number;
      if (kind > SCALAR) {
        this.#structure(kind, this.#consumed + at);
        at += 1;
      } else if (this.#depth === 1) {
        if (kind === SCALAR) this.#topLevelScalar(this.#consumed + at);
        at += 1;
      } else {
        at = skipDull(piece, at + 1);
      }
    }
    this.#consumed += length;
    return this.fault === undefined;
  }

  #structure(byte: number, offset: number): void {
    switch (byte) {
      case QUOTE:
        this.#inString = true;
        if (this.#depth !== 1) return;
        if (this.#nameNext) {
          this.#inName = true;
          this.#name = undefined;
        } else {
          this.#valueBegins(offset);
        }
        return;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#opens(byte, offset);
        return;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.#closes(offset);
        return;
      default:
        this.#count();
        if (this.#depth !== 1 || !this.#rootIsObject) return;
        this.#memberEnds();
        this.#nameNext = true;
    }
  }

  #opens(byte: number, offset: number): void {
    this.#count();
    if (this.#depth === 1) this.#valueBegins(offset);
    this.#depth += 1;
    if (this.#depth > this.#limits.depthMax) this.fault = 'too_deep';
    if (this.#depth !== 1) return;
    this.#rootIsObject = byte === OPEN_BRACE;
    this.#nameNext = this.#rootIsObject;
  }

  #closes(offset: number): void {
    this.#depth -= 1;
    if (this.#depth === 1) {
      this.#valueEnd = offset + 1;
    } else if (this.#depth === 0) {
      this.#memberEnds();
      this.rootEnd = offset;
    }
  }

  /** A byte of a number, `true`, `false` or `null`. */
  #topLevelScalar(offset: number): void {
    this.#valueBegins(offset);
    this.#valueEnd = offset + 1;
  }

  #count(): void {
    this.#values += 1;
    if (this.#values > this.#limits.valuesMax) this.fault = 'too_many_values';
  }

  #valueBegins(offset: number): void {
    if (this.#rootIsObject && this.#valueStart < 0) this.#valueStart = offset;
  }

  #memberEnds(): void {
    if (this.#valueStart < 0) return;
    const { size } = this.members;
    this.members.set(this.#memberName, { start: this.#valueStart, end: this.#valueEnd });
    if (this.members.size === size) this.fault = 'duplicate_member';
    if (size === MEMBERS_MAX) this.fault = 'too_many_members';
    this.#valueStart = -1;
  }

  /** Returns the index behind what it has taken: behind the closing quote, or the end of the piece. */
  #finishString(piece: Buffer, from: number): number {
    const quote = this.#closingQuote(piece, from);
    const complete = quote >= 0;
    if (this.#inName) this.#collectName(piece, from, complete ? quote : piece.length, complete);
    if (!complete) return piece.length;
    this.#inString = false;
    if (this.#depth === 1 && this.#valueStart >= 0) this.#valueEnd = this.#consumed + quote + 1;
    return quote + 1;
  }

  #closingQuote(piece: Buffer, from: number): number {
    const length = piece.length;
    let at = from;
    while (at < length) {
      if (this.#escaped) {
        this.#escaped = false;
        at += 1;
        continue;
      }
      const near = Math.min(length, at + NEAR);
      while (at < near && piece[at] !== QUOTE && piece[at] !== BACKSLASH) at += 1;
      if (at === near && near < length) at = farQuote(piece, near);
      if (at >= length) {
        this.#escaped = endsEscaped(piece, near);
        return -1;
      }
      if (piece[at] === QUOTE) return at;
      this.#escaped = true;
      at += 1;
    }
    return -1;
  }

  #collectName(piece: Buffer, from: number, to: number, complete: boolean): void {
    const earlier = this.#name;
    if (to - from + (earlier?.length ?? 0) > MEMBER_NAME_BYTES_MAX) {
      this.fault = 'member_name';
      return;
    }
    if (!complete) {
      this.#name = Buffer.concat([earlier ?? EMPTY, piece.subarray(from, to)]);
      return;
    }
    this.#inName = false;
    this.#nameNext = false;
    this.#memberName = decodeName(
      earlier
        ? Buffer.concat([earlier, piece.subarray(from, to)]).toString('utf8')
        : piece.toString('utf8', from, to),
    );
    if (this.#memberName === '__proto__') this.fault = 'member_name';
  }
}

const EMPTY = Buffer.alloc(0);

/** The next byte that is structure; what lies before it matters only on the top level. */
function skipDull(piece: Buffer, from: number): number {
  let at = from;
  while (at < piece.length && (KINDS[piece[at] as number] as number) <= SCALAR) at += 1;
  return at;
}

/** The next quote that no backslash escapes, from a place that is not itself escaped; the length if none. */
function farQuote(piece: Buffer, from: number): number {
  let at = from;
  for (;;) {
    const quote = piece.indexOf(QUOTE, at);
    if (quote < 0) return piece.length;
    let slashes = 0;
    while (quote - slashes > from && piece[quote - slashes - 1] === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return quote;
    at = quote + 1;
  }
}

function endsEscaped(piece: Buffer, from: number): boolean {
  let slashes = 0;
  while (piece.length - slashes > from && piece[piece.length - slashes - 1] === BACKSLASH) slashes += 1;
  return slashes % 2 === 1;
}

function decodeName(name: string): string {
  if (!name.includes('\\')) return name;
  try {
    return JSON.parse(`"${name}"`) as string;
  } catch {
    return name;
  }
}

/** A replacement of the bytes from `start` to `end` (exclusive); equal offsets insert. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
}

/** Applies edits that do not overlap. The given buffer is left as it is. */
export function splice(source: Buffer, edits: readonly Edit[]): Buffer {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const edit of [...edits].sort((one, other) => one.start - other.start)) {
    pieces.push(source.subarray(at, edit.start), edit.bytes);
    at = edit.end;
  }
  pieces.push(source.subarray(at));
  return Buffer.concat(pieces);
}
