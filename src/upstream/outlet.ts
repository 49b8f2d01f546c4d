import type { ServerResponse } from 'node:http';

/** Up to here a copy into a string costs less than a second buffer in the system call. */
const SHORT_BYTES = 16_384;
const LAST_CHUNK = '0\r\n\r\n';

/** The caller's end of a relay: where the answer goes. */
export interface AnswerOutlet {
  /** Of the body so far. */
  readonly bytes: number;
  /** No more is taken for now; whoever made it tells the relay when it is. */
  readonly blocked: boolean;
  readonly begun: boolean;
  /** The first time `writeHead` is called, and after that nothing is done. */
  begin(writeHead: () => void): void;
  write(piece: Buffer | string): void;
  end(piece?: Buffer | string): void;
  /** What has gone out is not whole. */
  cut(): void;
}

interface OutletOptions {
  readonly response: ServerResponse;
  /** How long a caller may take for the last bytes before he is cut. */
  readonly lastBytesMs: number;
  /** The caller reads again, after `blocked`. */
  readonly drained: () => void;
}

/**
 * The caller's end of a relay. Short pieces go out as one string, with the head before them or the framing of the
 * chunk around them: Node's own way is a vector of two to four buffers, which costs a third more for each token.
 */
export class Outlet implements AnswerOutlet {
  readonly #options: OutletOptions;
  readonly #response: ServerResponse;
  /** Bytes of the body so far. */
  bytes = 0;
  /** The caller reads more slowly than the server writes. */
  blocked = false;
  #framed = false;

  constructor(options: OutletOptions) {
    this.#options = options;
    this.#response = options.response;
  }

  get begun(): boolean {
    return this.#response.headersSent;
  }

  /** `writeHead` writes status and headers; without a length the body is chunked, where the caller knows that. */
  begin(writeHead: () => void): void {
    if (this.begun) return;
    writeHead();
    this.#framed = this.#response.chunkedEncoding;
    // All chunks are framed here: Node keeps back its own, and a piece that it does not frame would overtake them.
    if (this.#framed) this.#response.chunkedEncoding = false;
  }

  write(piece: Buffer | string): void {
    // A chunk of no bytes is the end of the body.
    if (piece.length === 0) return;
    this.bytes += Buffer.byteLength(piece);
    if (this.#send(piece) || this.blocked) return;
    this.blocked = true;
    this.#response.once('drain', () => {
      this.blocked = false;
      this.#options.drained();
    });
  }

  end(piece?: Buffer | string): void {
    if (piece !== undefined) this.bytes += Buffer.byteLength(piece);
    this.#sendLast(piece ?? '');
    if (this.#response.writableLength === 0) return;
    // The last bytes would lie in memory for as long as the caller likes.
    const cut = setTimeout(() => this.cut(), this.#options.lastBytesMs);
    this.#response.once('close', () => clearTimeout(cut));
  }

  /** What has gone out is not whole, and its length or its missing last chunk tells so. */
  cut(): void {
    this.#response.destroy();
  }

  #send(piece: Buffer | string): boolean {
    const isShort = piece.length < SHORT_BYTES;
    if (isShort) return this.#response.write(this.#framed ? framed(piece) : latin1(piece), 'latin1');
    if (!this.#framed) return this.#response.write(piece);
    this.#response.write(`${Buffer.byteLength(piece).toString(16)}\r\n`, 'latin1');
    this.#response.write(piece);
    return this.#response.write('\r\n', 'latin1');
  }

  #sendLast(piece: Buffer | string): void {
    const isShort = piece.length < SHORT_BYTES;
    if (!this.#framed) {
      if (isShort) this.#response.end(latin1(piece), 'latin1');
      else this.#response.end(piece);
      return;
    }
    if (!isShort) this.#send(piece);
    this.#response.end(isShort && piece.length > 0 ? framed(piece) + LAST_CHUNK : LAST_CHUNK, 'latin1');
  }
}

/** Where the answer goes that is only looked at: nowhere. */
export class SilentOutlet implements AnswerOutlet {
  /** Of the body so far, had there been a caller. */
  bytes = 0;
  readonly blocked = false;
  #begun = false;

  get begun(): boolean {
    return this.#begun;
  }

  begin(writeHead: () => void): void {
    if (this.#begun) return;
    this.#begun = true;
    writeHead();
  }

  write(piece: Buffer | string): void {
    this.bytes += Buffer.byteLength(piece);
  }

  end(piece?: Buffer | string): void {
    if (piece !== undefined) this.write(piece);
  }

  cut(): void {}
}

/** One chunk of the chunked encoding, each byte a character. */
function framed(piece: Buffer | string): string {
  const body = latin1(piece);
  return `${body.length.toString(16)}\r\n${body}\r\n`;
}

/** Each byte a character, so that the bytes stay what they are. */
function latin1(piece: Buffer | string): string {
  return (typeof piece === 'string' ? Buffer.from(piece) : piece).toString('latin1');
}
