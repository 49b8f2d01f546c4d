import type { Socket } from 'node:net';
import { Lane, type Weather } from './lane.ts';
import { ReplySplitter } from './reply-splitter.ts';

interface LinkParts {
  readonly weather: Weather;
  latencyMs(): number;
  /** Asked once for each reply, as it begins: is it to be lost? */
  isDoomed(): boolean;
  /** A reply was received whole and is lost. */
  dropped(): void;
  closed(): void;
}

/** One connection of a client through the proxy, and its own to Redis. */
export class Link {
  readonly client: Socket;
  readonly target: Socket;
  readonly #parts: LinkParts;
  readonly #replies: Lane;
  readonly #splitter = new ReplySplitter();
  #doomed = false;

  /** Both sockets with `allowHalfOpen`. */
  constructor(client: Socket, target: Socket, parts: LinkParts) {
    this.client = client;
    this.target = target;
    this.#parts = parts;
    const commands = new Lane(target, parts.weather);
    this.#replies = new Lane(client, parts.weather);
    target.setNoDelay(true);
    client.on('data', (chunk) => commands.push(chunk as Buffer, 0)).on('end', () => commands.end());
    target.on('data', (chunk) => this.#replied(chunk as Buffer)).on('end', () => this.#replies.end());
    for (const socket of [client, target]) {
      socket.on('error', () => undefined); // 'close' follows
      if (parts.weather.stalled) socket.pause();
    }
    target.on('close', () => this.#replies.afterwards(() => this.#targetIsGone()));
    client.on('close', () => {
      target.destroy();
      parts.closed();
    });
  }

  reset(): void {
    this.client.resetAndDestroy();
    this.target.destroy();
  }

  #replied(chunk: Buffer): void {
    let delivered = 0;
    let lost = false;
    for (const { bytes, begins, ends } of this.#splitter.split(chunk)) {
      if (begins) this.#doomed = this.#parts.isDoomed();
      if (!this.#doomed) delivered += bytes.length;
      lost = this.#doomed && ends;
      if (lost) break;
    }
    if (delivered > 0) this.#replies.push(chunk.subarray(0, delivered), this.#parts.latencyMs());
    if (!lost) return;
    this.#parts.dropped();
    this.target.destroy();
  }

  /** What had arrived is out. A connection that has ended in order needs no reset, which could overtake its bytes. */
  #targetIsGone(): void {
    if (!this.client.writableEnded) this.client.resetAndDestroy();
  }
}
