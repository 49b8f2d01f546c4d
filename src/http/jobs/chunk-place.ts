/**
 * Where in the streams of a job its reader stands. An event is named `<attempt>.<piece>.<event>`: the piece in which
 * it ends, and its number among those that do. So whoever has heard one can go on behind it, through any replica, with
 * one look at the piece before, in which the next may have begun.
 */

export interface ChunkPlace {
  /** From 1. */
  readonly attempt: number;
  /** From 0. */
  readonly piece: number;
  readonly event: number;
}

const PLACE = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})$/;

/** @param text of `Last-Event-ID`; undefined for what is none of ours */
export function readPlace(text: string | string[] | undefined): ChunkPlace | undefined {
  const match = typeof text === 'string' ? PLACE.exec(text) : null;
  if (!match) return undefined;
  const [attempt = 0, piece = 0, event = 0] = match.slice(1).map(Number);
  return attempt > 0 && event > 0 ? { attempt, piece, event } : undefined;
}

export interface Chunk {
  readonly id: string;
  /** Values of its `data` lines; never empty. */
  readonly data: readonly string[];
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const nothing: Buffer = Buffer.alloc(0);

/** Takes the pieces of one attempt in turn, and gives the events that are whole. */
export class ChunkReader {
  readonly attempt: number;
  /** Number of the piece that is wanted next. */
  next: number;
  readonly #heard: ChunkPlace | undefined;
  #held = nothing;
  /** Ends that were seen in the newest piece. */
  #ended = 0;

  /** @param heard of the same attempt: what lies up to here is left out */
  constructor(attempt: number, heard: ChunkPlace | undefined) {
    this.attempt = attempt;
    this.#heard = heard;
    this.next = Math.max(0, (heard?.piece ?? 0) - 1);
  }

  push(piece: Buffer): Chunk[] {
    const bytes = this.#held.length > 0 ? Buffer.concat([this.#held, piece]) : piece;
    const chunks: Chunk[] = [];
    let searched = Math.max(0, this.#held.length - 2);
    let at = 0;
    this.#ended = 0;
    for (let end = endOfEvent(bytes, searched); end > 0; end = endOfEvent(bytes, searched)) {
      this.#ended += 1;
      this.#take(bytes.subarray(at, end), chunks);
      at = end;
      searched = end;
    }
    this.#held = bytes.subarray(at);
    this.next += 1;
    return chunks;
  }

  /** What is left without an empty line behind it. */
  end(): Chunk[] {
    const chunks: Chunk[] = [];
    this.#ended += 1;
    this.next -= 1;
    if (this.#held.length > 0) this.#take(this.#held, chunks);
    this.#held = nothing;
    this.next += 1;
    return chunks;
  }

  #take(event: Buffer, chunks: Chunk[]): void {
    const place = { attempt: this.attempt, piece: this.next, event: this.#ended };
    if (this.#heard && !isBehind(place, this.#heard)) return;
    const data = dataOf(event);
    // Its reader is told the end in another way, and wants JSON.
    if (data.length === 0 || (data.length === 1 && data[0] === '[DONE]')) return;
    chunks.push({ id: `${place.attempt}.${place.piece}.${place.event}`, data });
  }
}

function isBehind(one: ChunkPlace, other: ChunkPlace): boolean {
  return one.piece > other.piece || (one.piece === other.piece && one.event > other.event);
}

/** Offset behind the next empty line; 0 if there is none. */
function endOfEvent(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LINE_FEED, from); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
    const before = bytes[at - 1];
    if (before === LINE_FEED || (before === CARRIAGE_RETURN && bytes[at - 2] === LINE_FEED)) return at + 1;
  }
  return 0;
}

function dataOf(event: Buffer): string[] {
  return event
    .toString()
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(line[5] === ' ' ? 6 : 5));
}
