/**
 * An answer that comes painfully: its headers line by line with a pause before each, its bytes one at a time.
 * It writes to the socket itself, so the connection cannot be used again and closes with the answer.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Pacer } from './pacer.ts';
import { framed, lastChunk, type Reply, serverName } from './reply.ts';

const QUEUE_MAX_BYTES = 65_536;

export interface DripManner {
  readonly oneByte: boolean;
  readonly headerPauseMs: number;
}

interface Piece {
  readonly bytes: Buffer;
  readonly pauseMs: number;
}

export class DripReply implements Reply {
  readonly #socket: Socket;
  readonly #pacer: Pacer;
  readonly #manner: DripManner;
  readonly #queue: Piece[] = [];
  #queuedBytes = 0;
  #chunked = false;
  #ended = false;
  #pumping = false;
  #resume: (() => void) | undefined;

  constructor(socket: Socket, pacer: Pacer, manner: DripManner) {
    this.#socket = socket;
    this.#pacer = pacer;
    this.#manner = manner;
  }

  head(status: number, contentType: string, length: number | undefined): void {
    this.#chunked = length === undefined;
    const lines = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`,
      `server: ${serverName}\r\n`,
      `content-type: ${contentType}\r\n`,
      length === undefined ? 'transfer-encoding: chunked\r\n' : `content-length: ${length}\r\n`,
      'connection: close\r\n\r\n',
    ];
    for (const line of lines) this.#push(line, this.#manner.headerPauseMs);
  }

  flushHead(): void {
    this.#start();
  }

  write(part: string | Buffer): boolean {
    if (part.length > 0) this.#push(this.#chunked ? framed(part) : part);
    this.#start();
    return this.#queuedBytes < QUEUE_MAX_BYTES;
  }

  onDrain(resume: () => void): void {
    this.#resume = resume;
  }

  end(part = ''): void {
    this.write(part);
    if (this.#chunked) this.#push(lastChunk);
    this.#ended = true;
    this.#start();
  }

  #push(part: string | Buffer, pauseMs = 0): void {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    this.#queue.push({ bytes, pauseMs });
    this.#queuedBytes += bytes.length;
  }

  #start(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    for (let piece = this.#queue.shift(); piece; piece = this.#queue.shift()) {
      if (piece.pauseMs > 0) await this.#pause(piece.pauseMs);
      await this.#send(piece.bytes);
      this.#queuedBytes -= piece.bytes.length;
    }
    this.#pumping = false;
    if (this.#ended) this.#socket.end();
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  async #send(bytes: Buffer): Promise<void> {
    if (!this.#manner.oneByte) {
      if (!this.#socket.destroyed) this.#socket.write(bytes);
      return nextTurn();
    }
    for (let at = 0; at < bytes.length && !this.#socket.destroyed; at++) {
      this.#socket.write(bytes.subarray(at, at + 1));
      await nextTurn();
    }
  }

  #pause(pauseMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#pacer.after(pauseMs, resolve);
    });
  }
}
