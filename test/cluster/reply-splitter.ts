/** Where replies begin and end in what a Redis server sends (RESP2 and RESP3), however it was cut on its way. */

export interface ReplyPiece {
  readonly bytes: Buffer;
  readonly begins: boolean;
  readonly ends: boolean;
}

const LINE_FEED = 10;
const LINE_END_BYTES = 2;

export class ReplySplitter {
  /** Values of the current reply that are still to come; 0 between two replies. */
  #outstanding = 0;
  #header = '';
  /** Bytes of the current bulk string, with its line end. */
  #bulkBytes = 0;

  split(chunk: Buffer): ReplyPiece[] {
    const pieces: ReplyPiece[] = [];
    let from = 0;
    let begins = this.#outstanding === 0;
    for (let at = 0; at < chunk.length; ) {
      if (this.#outstanding === 0) this.#outstanding = 1;
      at += this.#advance(chunk, at);
      if (this.#outstanding > 0) continue;
      pieces.push({ bytes: chunk.subarray(from, at), begins, ends: true });
      from = at;
      begins = true;
    }
    if (from < chunk.length) pieces.push({ bytes: chunk.subarray(from), begins, ends: false });
    return pieces;
  }

  /** Takes a part of a bulk string, or one byte of anything else; returns how many bytes. */
  #advance(chunk: Buffer, at: number): number {
    if (this.#bulkBytes > 0) {
      const taken = Math.min(this.#bulkBytes, chunk.length - at);
      this.#bulkBytes -= taken;
      if (this.#bulkBytes === 0) this.#outstanding -= 1;
      return taken;
    }
    const byte = chunk[at] as number;
    if (byte === LINE_FEED) this.#endHeader();
    else this.#header += String.fromCharCode(byte);
    return 1;
  }

  #endHeader(): void {
    const type = this.#header[0] ?? '';
    const count = Math.max(Number.parseInt(this.#header.slice(1), 10), -1);
    this.#header = '';
    if ('$=!'.includes(type) && count >= 0) this.#bulkBytes = count + LINE_END_BYTES;
    else if ('*~>'.includes(type)) this.#outstanding += Math.max(count, 0) - 1;
    else if (type === '%') this.#outstanding += 2 * count - 1;
    else if (type === '|')
      this.#outstanding += 2 * count; // attributes stand before the value itself
    else this.#outstanding -= 1;
  }
}
