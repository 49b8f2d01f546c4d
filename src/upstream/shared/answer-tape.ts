import type { IncomingHttpHeaders } from 'node:http';
import type { Refusal } from '../../core/errors.ts';
import type { Target } from '../attempts.ts';
import type { Cause } from '../failure.ts';

export interface TapeHead {
  readonly target: Target;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

export type TapeEnd =
  | { readonly kind: 'finished' }
  | {
      readonly kind: 'failed';
      readonly upstream: { readonly name: string };
      readonly cause: Cause;
      readonly detail: string;
    }
  /** By the gateway: a time limit, a drain, an answer that makes no sense. */
  | { readonly kind: 'broken_off'; readonly refused: Refusal }
  /** Another server was asked before a byte of it had come. */
  | { readonly kind: 'replaced' };

/** For all tapes together. */
export class TapeRoom {
  #free: number;

  constructor(bytesMax: number) {
    this.#free = bytesMax;
  }

  take(bytes: number): boolean {
    if (bytes > this.#free) return false;
    this.#free -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#free += bytes;
  }
}

const FIRST_BYTES = 16_384;
const READ_BYTES_MAX = 131_072;
const NOTHING = Buffer.alloc(0);

/**
 * What one server has answered, written by one and read by several, each at a pace of its own. All of it is kept up
 * to `bytesMax`, and as long as there is room, so that somebody may still begin to read; behind that, only what has
 * not been read by all.
 *
 * Bytes that were handed out are never written over: they may lie in sockets.
 */
export class AnswerTape {
  head: TapeHead | undefined;
  ended: TapeEnd | undefined;
  /** The answer that counts instead of this one. */
  next: AnswerTape | undefined;
  /** Of the whole answer, so far. */
  length = 0;
  /** It is not kept from its beginning: nobody can begin to read it any more. */
  isLong = false;
  readonly #bytesMax: number;
  readonly #room: TapeRoom;
  #taken = 0;
  #bytes = NOTHING;
  /** Where in the answer the bytes begin. */
  #from = 0;

  constructor(bytesMax: number, room: TapeRoom) {
    this.#bytesMax = bytesMax;
    this.#room = room;
  }

  append(piece: Buffer): void {
    const used = this.length - this.#from;
    if (used + piece.length > this.#bytes.length) this.#grow(used, used + piece.length);
    piece.copy(this.#bytes, used);
    this.length += piece.length;
  }

  /** What comes behind this place in the answer; never more than is good for one turn. */
  read(at: number): Buffer {
    const start = at - this.#from;
    return this.#bytes.subarray(start, Math.min(this.length - this.#from, start + READ_BYTES_MAX));
  }

  /** Everybody has read everything. */
  forget(): void {
    this.#from = this.length;
    this.#bytes = NOTHING;
    this.leaveRoom();
  }

  /** Nothing more is kept for those who may come. */
  leaveRoom(): void {
    this.#room.giveBack(this.#taken);
    this.#taken = 0;
  }

  /** The whole answer, unless it is long. */
  whole(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  #grow(used: number, wanted: number): void {
    const roomy = Math.max(FIRST_BYTES, 2 * this.#bytes.length);
    const capacity = Math.max(wanted, Math.min(roomy, this.#bytesMax));
    if (wanted > this.#bytesMax || !this.#takeRoom(capacity)) this.isLong = true;
    const roomier = Buffer.allocUnsafeSlow(capacity);
    this.#bytes.copy(roomier, 0, 0, used);
    this.#bytes = roomier;
  }

  #takeRoom(capacity: number): boolean {
    if (this.isLong || !this.#room.take(capacity - this.#taken)) return false;
    this.#taken = capacity;
    return true;
  }
}
