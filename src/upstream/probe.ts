import { type DiscoveredModels, listModels, probe } from './health/probe-client.ts';
import { ProbeLoop } from './health/probe-loop.ts';
import type { EjectionReason, ProbeResult, ServerState } from './health/server-health.ts';
import { ejectSlowServer, type ServerPool } from './health/slow-servers.ts';
import type { Upstream } from './upstream.ts';

/** Whom to ask, and who wants to know what they list. */
interface Probed {
  readonly upstreams: ReadonlyMap<string, Upstream>;
  refreshDiscovered(): void;
}

export interface StateChange {
  readonly upstream: string;
  readonly from: ServerState;
  readonly to: ServerState;
  /** Of its last ejection. */
  readonly reason: EjectionReason | undefined;
}

export interface ProberParts {
  /** The servers of each model, to be compared with each other. */
  readonly pools?: () => Iterable<ServerPool>;
  readonly probed?: (upstream: Upstream, result: ProbeResult, tookMs: number) => void;
  /** It answers no probes any more: calls that wait there for a first byte should go elsewhere. */
  readonly frozen?: (upstream: Upstream) => void;
  /** Told within a second; states that did not last so long are passed over. */
  readonly stateChanged?: (change: StateChange) => void;
  /** Monotonic, in milliseconds. */
  readonly now?: () => number;
  /** From 0 to 1. */
  readonly random?: () => number;
}

const LOOK_EVERY_MS = 1_000;
/** In looks. */
const LIST_EVERY = 2;

interface Watched {
  readonly upstream: Upstream;
  readonly loop: ProbeLoop;
  state: ServerState;
  isListing: boolean;
}

/**
 * Asks every GPU server each second how it is, and those that are to be discovered every other second for their
 * models. The results lie in the upstreams; nothing on a request's path waits for a probe.
 */
export class Prober {
  readonly #models: Probed;
  readonly #parts: ProberParts;
  readonly #now: () => number;
  readonly #watched = new Map<Upstream, Watched>();
  readonly #ended = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;

  constructor(models: Probed, parts: ProberParts = {}) {
    this.#models = models;
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
  }

  /** Settles when every server has been asked once. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    await this.refresh();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#ended.abort();
    for (const { loop } of this.#watched.values()) loop.stop();
    this.#watched.clear();
  }

  /** Begins with servers that are new and ends with those that are gone; settles when the new ones have been asked. */
  async refresh(): Promise<void> {
    const current = new Set(this.#models.upstreams.values());
    for (const { upstream, loop } of this.#watched.values()) {
      if (current.has(upstream)) continue;
      loop.stop();
      this.#watched.delete(upstream);
    }
    const added = [...current].filter((upstream) => !this.#watched.has(upstream));
    await Promise.all(added.map((upstream) => this.#begin(upstream)));
    if (added.some(({ discover }) => discover)) this.#models.refreshDiscovered();
  }

  /** Once, a server that is about to be taken in. Bounded in time; never rejects. */
  async probe(upstream: Upstream): Promise<void> {
    const [heard, listed] = await Promise.all([
      probe(upstream, this.#ended.signal),
      upstream.discover ? listModels(upstream, this.#ended.signal) : undefined,
    ]);
    if (heard !== 'undecided') upstream.serverHealth.probed(heard, this.#now());
    if (listed) upstream.discovered = listed;
  }

  async #begin(upstream: Upstream): Promise<void> {
    const { random = Math.random, probed = ignore, frozen = ignore } = this.#parts;
    const loop = new ProbeLoop(upstream, { now: this.#now, random, probed, frozen });
    const watched: Watched = { upstream, loop, state: 'down', isListing: false };
    this.#watched.set(upstream, watched);
    await Promise.all([loop.start(), this.#list(watched)]);
  }

  #look(): void {
    this.#looks += 1;
    const nowMs = this.#now();
    for (const pool of this.#parts.pools?.() ?? []) ejectSlowServer(pool, nowMs);
    for (const watched of this.#watched.values()) this.#tellState(watched, nowMs);
    if (this.#looks % LIST_EVERY === 0) this.#listAll();
    this.refresh().catch(ignore); // no probe rejects but the first one of a server that is gone again
  }

  #tellState(watched: Watched, nowMs: number): void {
    const { name, serverHealth } = watched.upstream;
    const [from, to] = [watched.state, serverHealth.state(nowMs)];
    if (from === to) return;
    watched.state = to;
    this.#parts.stateChanged?.({ upstream: name, from, to, reason: serverHealth.lastReason });
  }

  async #listAll(): Promise<void> {
    const changed = await Promise.all([...this.#watched.values()].map((watched) => this.#list(watched)));
    if (changed.includes(true)) this.#models.refreshDiscovered();
  }

  /** Whether it lists now what it did not list before. */
  async #list(watched: Watched): Promise<boolean> {
    const { upstream, isListing } = watched;
    if (!upstream.discover || isListing) return false;
    watched.isListing = true;
    const listed = await listModels(upstream, this.#ended.signal);
    watched.isListing = false;
    if (!listed || sameModels(listed, upstream.discovered)) return false;
    upstream.discovered = listed;
    return true;
  }
}

function sameModels(one: DiscoveredModels, other: DiscoveredModels): boolean {
  return (
    one.size === other.size &&
    [...one].every(([name, length]) => other.has(name) && other.get(name) === length)
  );
}

function ignore(): void {}
