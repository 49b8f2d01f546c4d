import type { Socket } from 'node:net';
import { setImmediate, setTimeout } from 'node:timers/promises';

/** What holds for all connections of a proxy at the moment. */
export interface Weather {
  /** While it is set nothing passes; settles when things go on. */
  stalled: PromiseWithResolvers<void> | undefined;
  bytewise: boolean;
}

interface Item {
  readonly dueAtMs: number;
  deliver(): void | Promise<void>;
}

/** One direction of a connection: what is put in comes out in order, not before its time. */
export class Lane {
  readonly #sink: Socket;
  readonly #weather: Weather;
  readonly #queue: Item[] = [];
  #running = false;

  constructor(sink: Socket, weather: Weather) {
    this.#sink = sink;
    this.#weather = weather;
  }

  push(bytes: Buffer, delayMs: number): void {
    this.#enter(delayMs, () => this.#write(bytes));
  }

  end(): void {
    this.#enter(0, () => void this.#sink.end());
  }

  /** Does this when everything that was put in before is out. */
  afterwards(act: () => void): void {
    this.#enter(0, act);
  }

  #enter(delayMs: number, deliver: Item['deliver']): void {
    this.#queue.push({ dueAtMs: performance.now() + delayMs, deliver });
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let item = this.#queue.shift(); item; item = this.#queue.shift()) {
      const waitMs = item.dueAtMs - performance.now();
      if (waitMs > 0) await setTimeout(waitMs, undefined, { ref: false });
      while (this.#weather.stalled) await this.#weather.stalled.promise;
      if (this.#sink.destroyed) break;
      await item.deliver();
    }
    this.#running = false;
  }

  /** Settles when the bytes have left the process, so that a reset behind them does not take them back. */
  async #write(bytes: Buffer): Promise<void> {
    if (!this.#weather.bytewise) {
      await new Promise((resolve) => this.#sink.write(bytes, resolve));
      return;
    }
    for (let at = 0; at < bytes.length && !this.#sink.destroyed; at += 1) {
      this.#sink.write(bytes.subarray(at, at + 1));
      await setImmediate();
    }
  }
}
