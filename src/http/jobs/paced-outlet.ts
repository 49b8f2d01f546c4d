/** A body that is sent as fast as its caller takes it, by whoever reads it from elsewhere piece by piece. */
import type { ServerResponse } from 'node:http';
import { Outlet } from '../../upstream/outlet.ts';

export class PacedOutlet {
  readonly #outlet: Outlet;
  readonly #response: ServerResponse;
  readonly #stallMs: number;
  #goOn: () => void = () => {};

  /** @param stallMs a caller who takes nothing for so long is cut */
  constructor(response: ServerResponse, stallMs: number) {
    this.#response = response;
    this.#stallMs = stallMs;
    this.#outlet = new Outlet({ response, lastBytesMs: stallMs, drained: () => this.#goOn() });
    response.once('close', () => this.#goOn());
  }

  get bytes(): number {
    return this.#outlet.bytes;
  }

  get isBlocked(): boolean {
    return this.#outlet.blocked;
  }

  get isGone(): boolean {
    return this.#response.destroyed;
  }

  begin(writeHead: () => void): void {
    this.#outlet.begin(writeHead);
  }

  /** @returns false when the caller has to be waited for: see `taken` */
  write(piece: Buffer | string): boolean {
    if (!this.isGone) this.#outlet.write(piece);
    return !this.#outlet.blocked;
  }

  /** Until he takes more, or is gone. */
  async taken(): Promise<void> {
    if (!this.#outlet.blocked || this.isGone) return;
    const waiting = Promise.withResolvers<void>();
    this.#goOn = waiting.resolve;
    const stalled = setTimeout(() => this.cut(), this.#stallMs);
    await waiting.promise;
    clearTimeout(stalled);
  }

  end(piece?: Buffer | string): void {
    if (!this.isGone) this.#outlet.end(piece);
  }

  cut(): void {
    this.#outlet.cut();
  }
}
