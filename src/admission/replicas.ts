/**
 * Which replicas live. Each says so every two seconds; how many there are decides this replica's share of the limits
 * while Redis is away, and what they are doing which GPU server is least busy.
 */
import { randomInt } from 'node:crypto';
import { type ClusterTable, clusterTable, type ReplicaReport, type Roll } from '../redis/cluster-table.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Logger } from '../telemetry/log.ts';

const EVERY_MS = 2_000;
const ALIVE_MS = 10_000;
const KEPT_MS = 60_000;
const ID_LENGTH = 8;

interface ReplicasParts {
  readonly redis: RedisConnection;
  readonly version: string;
  /** Whether it lets calls in while Redis is away, and so has a share of the limits. A worker does not. */
  readonly hasShare: boolean;
  /** Calls that each upstream works on for this replica, by the upstream's name. */
  readonly inFlight: () => Readonly<Record<string, number>>;
  readonly log: Logger;
}

export class Replicas {
  /** Of this process. */
  readonly id = newReplicaId();
  readonly #parts: ReplicasParts;
  readonly #table: ClusterTable;
  /** Of the others, when each last spoke, by this process' own clock. */
  readonly #spokeAtMs = new Map<string, number>();
  #reports: readonly ReplicaReport[] = [];
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #beating: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;

  constructor(parts: ReplicasParts) {
    this.#parts = parts;
    this.#table = clusterTable(parts.redis);
  }

  start(): void {
    this.#timer = setInterval(() => this.#beat(), EVERY_MS).unref();
    this.#unlisten = this.#parts.redis.onState((state) => {
      if (state === 'ok') this.#beat();
    });
    this.#beat();
  }

  /** Takes its leave, within the command time-outs of two commands. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#unlisten?.();
    await this.#beating;
    await this.#table.leave(this.id);
  }

  /**
   * Those that have a share, seen within the ten seconds before Redis was last heard, this one among them; so it does not change while
   * Redis is away, and a Redis that comes back empty does not make every replica the only one.
   */
  alive(): number {
    return 1 + this.#spokeAtMs.size;
  }

  /** Calls that an upstream works on for the others, as they last said; 0 when that is more than ten seconds ago. */
  inFlightOfOthers(upstream: string): number {
    if (performance.now() - this.#heardAtMs > ALIVE_MS) return 0;
    let sum = 0;
    for (const { in_flight } of this.#reports) {
      if (Object.hasOwn(in_flight, upstream)) sum += in_flight[upstream] ?? 0;
    }
    return sum;
  }

  #beat(): void {
    this.#beating ??= this.#report()
      .catch((error: Error) => this.#parts.log.error({ cause: error.message }, 'a heartbeat has failed'))
      .finally(() => {
        this.#beating = undefined;
      });
  }

  async #report(): Promise<void> {
    const { version, hasShare, inFlight } = this.#parts;
    const own = { version, has_share: hasShare, in_flight: inFlight() };
    const answer = await this.#table.report(this.id, own, KEPT_MS);
    if (answer.ok) this.#learn(answer.value);
  }

  #learn({ nowMs, reports }: Roll): void {
    const heardAtMs = performance.now();
    const ofOthers: ReplicaReport[] = [];
    for (const [id, report] of reports) {
      const silentMs = nowMs - report.at_ms;
      if (id === this.id || Math.abs(silentMs) > ALIVE_MS) continue;
      ofOthers.push(report);
      if (report.has_share) this.#spokeAtMs.set(id, heardAtMs - Math.max(0, silentMs));
    }
    for (const [id, spokeAtMs] of this.#spokeAtMs) {
      if (heardAtMs - spokeAtMs > ALIVE_MS) this.#spokeAtMs.delete(id);
    }
    this.#reports = ofOthers;
    this.#heardAtMs = heardAtMs;
  }
}

/** 8 of base 36: of ten thousand processes two are the same with a chance of one in 56,000. */
function newReplicaId(): string {
  return Array.from({ length: ID_LENGTH }, () => randomInt(36).toString(36)).join('');
}
