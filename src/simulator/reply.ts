/** The way of an answer to the client: in the ordinary manner here, dripping in drip.ts. */
import type { ServerResponse } from 'node:http';

export interface Reply {
  /** `length` undefined: chunked. The headers may wait for the first write. */
  head(status: number, contentType: string, length: number | undefined): void;
  flushHead(): void;
  /** False: wait for `onDrain`. */
  write(part: string | Buffer): boolean;
  onDrain(resume: () => void): void;
  end(part?: string): void;
}

export const serverName = 'sluice-simulator';

/** One chunk of the chunked encoding. */
export function framed(part: string | Buffer): string {
  return `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`;
}

export const lastChunk = '0\r\n\r\n';

export class DirectReply implements Reply {
  readonly #response: ServerResponse;
  readonly #announceClose: boolean;
  #chunked = false;

  constructor(response: ServerResponse, announceClose: boolean) {
    this.#response = response;
    this.#announceClose = announceClose;
  }

  head(status: number, contentType: string, length: number | undefined): void {
    const headers = ['server', serverName];
    if (contentType !== '') headers.push('content-type', contentType);
    if (length === undefined) headers.push('transfer-encoding', 'chunked');
    else headers.push('content-length', String(length));
    if (this.#announceClose) headers.push('connection', 'close');
    // uvicorn says nothing of keep-alive, so a client cannot know when an idle connection ends.
    else this.#response.removeHeader('connection');
    this.#response.writeHead(status, headers);
    this.#chunked = length === undefined;
    // Node frames a chunk in four writes; framed here it is one, which took a third off the cost of a token.
    if (this.#chunked) this.#response.chunkedEncoding = false;
  }

  flushHead(): void {
    this.#response.flushHeaders();
  }

  write(part: string | Buffer): boolean {
    return this.#response.write(this.#chunked ? framed(part) : part);
  }

  onDrain(resume: () => void): void {
    this.#response.once('drain', resume);
  }

  end(part = ''): void {
    if (this.#chunked) this.#response.end(part === '' ? lastChunk : framed(part) + lastChunk);
    else this.#response.end(part);
  }
}
