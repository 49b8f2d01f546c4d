/** Finds the end of each answer on a connection that carries one at a time. */
import { requireSuccess } from './client-socket.ts';

const LAST_CHUNK = '0\r\n\r\n';

/** Feed it with every piece; it answers true for the piece that ends an answer. @param status all must have */
export function createAnswerReader(status = 200): (piece: Buffer) => boolean {
  let head: Buffer | undefined;
  let bodyBytesLeft: number | undefined;
  let chunkedTail: string | undefined;

  const readChunked = (piece: Buffer): boolean => {
    chunkedTail = (
      (chunkedTail ?? '') + piece.toString('latin1', Math.max(0, piece.length - LAST_CHUNK.length))
    ).slice(-LAST_CHUNK.length);
    if (chunkedTail !== LAST_CHUNK) return false;
    chunkedTail = undefined;
    return true;
  };

  const readSized = (left: number): boolean => {
    bodyBytesLeft = left > 0 ? left : undefined;
    return left <= 0;
  };

  return (piece) => {
    if (bodyBytesLeft !== undefined) return readSized(bodyBytesLeft - piece.length);
    if (chunkedTail !== undefined) return readChunked(piece);
    const bytes = head ? Buffer.concat([head, piece]) : piece;
    const headEnd = bytes.indexOf('\r\n\r\n');
    if (headEnd === -1) {
      head = Buffer.from(bytes);
      return false;
    }
    head = undefined;
    const text = bytes.toString('latin1', 0, headEnd);
    if (!text.startsWith(`HTTP/1.1 ${status} `)) requireSuccess(bytes.toString('latin1'), status);
    const size = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
    if (size === undefined) return readChunked(bytes.subarray(headEnd + 4));
    return readSized(Number(size) - (bytes.length - headEnd - 4));
  };
}
