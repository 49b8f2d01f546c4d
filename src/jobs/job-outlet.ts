/** Where the answer to a job goes: a stream of events to Redis as it comes, all else into memory until it is whole. */
import type { PieceWriter } from '../redis/piece-writer.ts';
import type { AnswerOutlet } from '../upstream/outlet.ts';

interface JobOutletParts {
  readonly bytesMax: number;
  openStream(): PieceWriter;
  /** Once: the answer is longer than it may be. What comes is not taken any more. */
  tooLong(): void;
}

const STREAM_TYPE = /^text\/event-stream\b/i;

export class JobOutlet implements AnswerOutlet {
  bytes = 0;
  readonly blocked = false;
  isTooLong = false;
  /** Of an answer that is no stream. */
  readonly body: Buffer[] = [];
  /** Of one that is; whoever made the outlet closes it. */
  stream: PieceWriter | undefined;
  status = 0;
  contentType = '';
  readonly #parts: JobOutletParts;
  #begun = false;

  constructor(parts: JobOutletParts) {
    this.#parts = parts;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** What the server says before the body. */
  head(status: number, contentType: string): void {
    this.status = status;
    this.contentType = contentType;
    if (STREAM_TYPE.test(contentType)) this.stream = this.#parts.openStream();
  }

  begin(writeHead: () => void): void {
    if (this.#begun) return;
    this.#begun = true;
    writeHead();
  }

  write(piece: Buffer | string): void {
    if (this.isTooLong || piece.length === 0) return;
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    if (this.bytes + bytes.length > this.#parts.bytesMax) {
      this.isTooLong = true;
      this.#parts.tooLong();
      return;
    }
    this.bytes += bytes.length;
    if (this.stream) this.stream.append(bytes);
    else this.body.push(bytes);
  }

  /** An error event of the relay's is text, and is left out: the record of the job says that it has failed, and why. */
  end(piece?: Buffer | string): void {
    if (Buffer.isBuffer(piece)) this.write(piece);
  }

  /** What has come is kept; the record of the job says that it is not all. */
  cut(): void {}
}
