/**
 * How many more jobs of each line the GPU servers bear, as far as this process can tell.
 *
 * A server bears `max_in_flight` calls of this process; with all others together no more than its `capacity`; and no
 * job at all while it says that calls wait inside it: a job that waits there cannot be given to another server any
 * more, and has overtaken those of other tenants. So that jobs do not wait for ever behind servers that callers keep
 * busy day and night, one job of a line is let through where none runs.
 */
import type { Config } from '../config/schema.ts';
import { remembered } from '../upstream/choice/load-of.ts';
import type { Models } from '../upstream/models.ts';
import type { Upstream } from '../upstream/upstream.ts';

interface LineRoomsParts {
  readonly models: Pick<Models, 'list' | 'upstreams'>;
  readonly config: Pick<Config, 'routes'>;
  /** `performance.now`. */
  readonly now: () => number;
}

/** The configuration may be read anew. */
const LOOK_EVERY_MS = 1_000;

export class LineRooms {
  readonly #parts: LineRoomsParts;
  readonly #pausedUntilMs = new Map<string, number>();
  #servers: ReadonlyMap<string, readonly Upstream[]> = new Map();
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: LineRoomsParts) {
    this.#parts = parts;
  }

  /** Whether this process has the servers of the line. */
  has(line: string): boolean {
    return this.#serversOf(line).length > 0;
  }

  /** A server of the line has just said that it takes nothing. */
  pause(line: string, forMs: number): void {
    if (this.has(line)) this.#pausedUntilMs.set(line, this.#parts.now() + forMs);
  }

  /** @param handed jobs of the line that are on their way to a server @returns 0 or more, or Infinity */
  roomOf(line: string, handed: number): number {
    const nowMs = this.#parts.now();
    if ((this.#pausedUntilMs.get(line) ?? 0) > nowMs) return 0;
    const usable = this.#serversOf(line).filter(({ serverHealth }) => serverHealth.isUsable(nowMs));
    if (usable.length === 0) return 0;
    let places = 0;
    let inFlight = 0;
    for (const upstream of usable) {
      places += placesOn(upstream, nowMs);
      inFlight += upstream.load.inFlight;
    }
    const room = Math.max(0, places - handed);
    return room === 0 && inFlight + handed === 0 ? 1 : room;
  }

  #serversOf(line: string): readonly Upstream[] {
    const nowMs = this.#parts.now();
    if (nowMs - this.#lookedAtMs >= LOOK_EVERY_MS) {
      this.#servers = this.#look();
      this.#lookedAtMs = nowMs;
      for (const [name, untilMs] of this.#pausedUntilMs)
        if (untilMs <= nowMs) this.#pausedUntilMs.delete(name);
    }
    return this.#servers.get(line) ?? [];
  }

  #look(): ReadonlyMap<string, readonly Upstream[]> {
    const { models, config } = this.#parts;
    const servers = new Map<string, readonly Upstream[]>();
    for (const { versions } of models.list()) {
      for (const { model } of versions) {
        servers.set(
          model.pool.name,
          model.pool.members.map(({ upstream }) => upstream),
        );
      }
    }
    for (const { path, upstream: name } of config.routes) {
      const upstream = models.upstreams.get(name);
      if (upstream) servers.set(path, [upstream]);
    }
    return servers;
  }
}

function placesOn({ settings, load, reported }: Upstream, nowMs: number): number {
  const said = remembered(reported, nowMs);
  if (said && said.waiting > 0) return 0;
  const { maxInFlight = Number.POSITIVE_INFINITY, capacity = Number.POSITIVE_INFINITY } = settings;
  return Math.max(
    0,
    Math.floor(Math.min(maxInFlight - load.inFlight, capacity - load.inFlight - load.others)),
  );
}
