/**
 * Probes one GPU server for as long as it is configured. A probe begins each second. One that has heard nothing for
 * half its limit is joined by a second, and one that was answered badly is repeated at once: so two failures in a
 * row, which eject the server, are there at most 2.5 s after it has frozen, although each had its full second.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Upstream } from '../upstream.ts';
import { type Heard, probe } from './probe-client.ts';
import type { ProbeResult } from './server-health.ts';

export interface ProbeLoopParts {
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly probed: (upstream: Upstream, result: ProbeResult, tookMs: number) => void;
  /** Two probes in a row were not answered: what waits there waits in vain. */
  readonly frozen: (upstream: Upstream) => void;
}

const EVERY_MS = 1_000;
/** Probes come up to this share early, so that the replicas do not ask all at once. */
const JITTER = 0.2;
const SECOND_OPINION_MS = 200;

interface Answer {
  readonly heard: Heard;
  readonly tookMs: number;
}

export class ProbeLoop {
  readonly #upstream: Upstream;
  readonly #parts: ProbeLoopParts;
  readonly #ended = new AbortController();

  constructor(upstream: Upstream, parts: ProbeLoopParts) {
    this.#upstream = upstream;
    this.#parts = parts;
  }

  /** Settles when the server has been asked once, and goes on. */
  async start(): Promise<void> {
    const begunMs = this.#parts.now();
    await this.#round();
    this.#goOn(begunMs).catch(() => undefined); // `stop` ends a pause by a rejection
  }

  stop(): void {
    this.#ended.abort();
  }

  async #goOn(firstBegunMs: number): Promise<void> {
    let begunMs = firstBegunMs;
    while (!this.#ended.signal.aborted) {
      const periodMs = EVERY_MS * (1 - JITTER * this.#parts.random());
      await this.#pause(Math.max(0, begunMs + periodMs - this.#parts.now()));
      begunMs = this.#parts.now();
      await this.#round();
    }
  }

  async #round(): Promise<void> {
    const first = this.#ask();
    if (this.#upstream.serverHealth.health !== 'healthy') return this.#tell(await first);
    const early = await Promise.race([first, this.#pause(this.#upstream.settings.healthCheck.timeoutMs / 2)]);
    if (!early) return this.#tellBoth(await Promise.all([first, this.#ask()]));
    this.#tell(early);
    if (early.heard === 'ok' || early.heard === 'undecided') return;
    await this.#pause(SECOND_OPINION_MS);
    this.#tell(await this.#ask());
  }

  /** The good news last: one answer is enough. */
  #tellBoth([first, second]: readonly [Answer, Answer]): void {
    const [earlier, later] = first.heard === 'ok' ? [second, first] : [first, second];
    this.#tell(earlier);
    this.#tell(later);
  }

  #tell({ heard, tookMs }: Answer): void {
    const { now, probed, frozen } = this.#parts;
    if (heard === 'undecided' || this.#ended.signal.aborted) return;
    const isFrozen = this.#upstream.serverHealth.probed(heard, now());
    probed(this.#upstream, heard, tookMs);
    if (isFrozen) frozen(this.#upstream);
  }

  async #ask(): Promise<Answer> {
    const begunMs = this.#parts.now();
    const heard = await probe(this.#upstream, this.#ended.signal);
    return { heard, tookMs: this.#parts.now() - begunMs };
  }

  #pause(ms: number): Promise<undefined> {
    return pause(ms, undefined, { signal: this.#ended.signal, ref: false });
  }
}
