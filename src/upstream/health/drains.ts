/**
 * Which GPU servers an operator has taken out. The word is given to any replica; it lies in Redis, so that all
 * replicas hear it and those that start later know it. It is read whenever it may have changed, and every five
 * seconds, because a message can be lost.
 *
 * While Redis is away the word holds on the replica that got it, which brings it to Redis as soon as it can.
 */
import type { RedisConnection } from '../../redis/connection.ts';
import { type DrainTable, drainTable } from '../../redis/drain-table.ts';
import type { Subscription } from '../../redis/subscription.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { Upstream } from '../upstream.ts';

const READ_EVERY_MS = 5_000;

interface DrainsParts {
  readonly redis: RedisConnection;
  /** By name, as they are at the moment. */
  readonly upstreams: () => ReadonlyMap<string, Upstream>;
  /** Whether what lies in Redis is what this cluster has worked with: who is out stays out in doubt. */
  readonly isTrusted: () => boolean;
  readonly log: Logger;
}

/** How far an operator's word has come. */
export type Reach = 'all_replicas' | 'this_replica';

export class Drains {
  readonly #parts: DrainsParts;
  readonly #table: DrainTable;
  /** What this replica was told and could not bring to Redis: drained or not. Only names of the configuration. */
  readonly #unsaved = new Map<string, boolean>();
  #drained: ReadonlySet<string> = new Set();
  #subscription: Subscription | undefined;
  #unlisten: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #again = false;

  constructor(parts: DrainsParts) {
    this.#parts = parts;
    this.#table = drainTable(parts.redis);
  }

  start(): void {
    const { redis } = this.#parts;
    const sync = () => void this.#sync();
    this.#subscription = redis.subscribe(redis.keys.drainChanges(), { subscribed: sync, received: sync });
    this.#unlisten = redis.onReturn(sync);
    this.#timer = setInterval(sync, READ_EVERY_MS).unref();
    sync();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#subscription?.close();
    this.#unlisten?.();
  }

  /** Undefined: there is no such upstream. */
  async set(name: string, isDrained: boolean): Promise<Reach | undefined> {
    if (!this.#parts.upstreams().has(name)) return undefined;
    this.#unsaved.set(name, isDrained);
    this.#apply();
    await this.#sync();
    return this.#unsaved.has(name) ? 'this_replica' : 'all_replicas';
  }

  /** To be called with an upstream before it is taken in. */
  applyTo({ name, serverHealth }: Upstream): void {
    serverHealth.setDraining(this.#unsaved.get(name) ?? this.#drained.has(name), performance.now());
  }

  #apply(): void {
    for (const upstream of this.#parts.upstreams().values()) this.applyTo(upstream);
  }

  /** Settles when what was known at the call is in Redis and read back, or cannot be. */
  async #sync(): Promise<void> {
    this.#again = true;
    this.#working ??= this.#work()
      .catch((error: Error) => this.#parts.log.error({ cause: error.message }, 'drains cannot be read'))
      .finally(() => {
        this.#working = undefined;
      });
    await this.#working;
    // It may have looked for the last time just before.
    if (this.#again) await this.#sync();
  }

  async #work(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      for (const [name, isDrained] of this.#unsaved) await this.#save(name, isDrained);
      const read = await this.#table.read();
      if (!read.ok || this.#again) continue;
      const stillDrained = this.#parts.isTrusted() ? read.value : read.value.union(this.#drained);
      this.#drained = stillDrained;
      this.#apply();
    }
  }

  async #save(name: string, isDrained: boolean): Promise<void> {
    const written = await this.#table.write(name, isDrained, Date.now());
    // The operator may have changed his mind meanwhile.
    if (!written.ok || this.#unsaved.get(name) !== isDrained) return;
    const drained = new Set(this.#drained);
    if (isDrained) drained.add(name);
    else drained.delete(name);
    this.#drained = drained;
    this.#unsaved.delete(name);
  }
}
