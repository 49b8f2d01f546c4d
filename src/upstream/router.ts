/**
 * Which server of a pool has a call: one that is usable, has a place, and has little to do; where the prompt begins
 * like an earlier one, the one that has seen it. And what to do where there is none.
 */
import { chooseByAffinity, usualBound } from './choice/affinity.ts';
import { loadOf } from './choice/load-of.ts';
import { chooseOfTwo } from './choice/power-of-two.ts';
import { Demand, serversWanted } from './demand.ts';
import { usable } from './health/usable.ts';
import type { Member } from './member.ts';
import type { Pool } from './pool.ts';
import { RetryBudget } from './retry-budget.ts';
import type { Upstream } from './upstream.ts';
import { type Entry, type Guest, WaitingRoom } from './waiting-room.ts';

/** `full`: those that could have it have no place. `none`: nobody could. */
export type Choice = Place | 'full' | 'none';

/** A member as the choice looks at it: it stays for as long as its pool. */
export class Place {
  readonly member: Member;
  readonly key: string;
  readonly #now: () => number;

  constructor(member: Member, now: () => number) {
    this.member = member;
    this.key = member.upstream.name;
    this.#now = now;
  }

  get upstream(): Upstream {
    return this.member.upstream;
  }

  get weight(): number {
    return this.member.weight * this.upstream.serverHealth.weightFactor(this.#now());
  }

  load(): number {
    const { inFlight, others } = this.upstream.load;
    return loadOf({ inFlight, othersInFlight: others, reported: this.upstream.reported }, this.#now());
  }
}

/** What is remembered of a pool beyond a reading of the configuration. */
interface PoolMemory {
  readonly budget: RetryBudget;
  readonly room: WaitingRoom<Upstream>;
  readonly demand: Demand;
}

/** Of this replica. */
export interface PoolFigures {
  /** Calls that have been sent to its servers and have not ended. */
  readonly inFlight: number;
  /** Calls that wait for a place. */
  readonly waiting: number;
  /** Since the beginning. */
  readonly retriesDenied: number;
}

interface RouterParts {
  /** `performance.now`. */
  readonly now: () => number;
  readonly random: () => number;
  readonly waiting: { readonly callsMax: number; readonly waitMsMax: number };
}

export class Router {
  readonly #parts: RouterParts;
  readonly #places = new WeakMap<Pool, readonly Place[]>();
  readonly #memories = new Map<string, PoolMemory>();
  /** By pool, because a server may stand in several. */
  readonly #pools = new Map<string, Pool>();

  constructor(parts: RouterParts) {
    this.#parts = parts;
  }

  /** Calls that wait for a place. */
  get waiting(): number {
    let count = 0;
    for (const { room } of this.#memories.values()) count += room.size;
    return count;
  }

  /** Whether a server of the pool is well, so that nobody has to stand in for it. */
  serves(pool: Pool): boolean {
    const nowMs = this.#parts.now();
    return pool.members.some(({ upstream }) => upstream.serverHealth.isUsable(nowMs));
  }

  /** @param affinity of calls that are better off where the last one of their kind was */
  choose(pool: Pool, affinity: number | undefined, tried: readonly Upstream[]): Choice {
    const { now, random } = this.#parts;
    const places = usable(this.#placesOf(pool), now()).filter(({ upstream }) => !tried.includes(upstream));
    if (places.length === 0) return 'none';
    const free = places.filter(({ upstream }) => upstream.hasPlace());
    if (free.length === 0) return 'full';
    const chosen =
      affinity === undefined ? chooseOfTwo(free, random) : chooseByAffinity(free, affinity, usualBound);
    return chosen ?? 'none';
  }

  budgetOf(pool: Pool): RetryBudget {
    return this.#memoryOf(pool).budget;
  }

  /** To be counted up with each call that is sent to a server of the pool, and down again when it ends. */
  demandOf(pool: Pool): Demand {
    return this.#memoryOf(pool).demand;
  }

  figuresOf({ name }: Pool): PoolFigures {
    const memory = this.#memories.get(name);
    if (!memory) return { inFlight: 0, waiting: 0, retriesDenied: 0 };
    const { demand, room, budget } = memory;
    return { inFlight: demand.inFlight, waiting: room.size, retriesDenied: budget.denied };
  }

  /** This replica's part of how many servers the pool has work for; undefined where no server says what it bears. */
  serversWanted({ name, members }: Pool): number | undefined {
    const memory = this.#memories.get(name);
    return serversWanted(memory ? memory.demand.inFlight + memory.room.size : 0, members);
  }

  /** Until a server of the pool has a place. */
  wait(pool: Pool, guest: Guest<Upstream>): Entry {
    for (const { upstream } of pool.members) upstream.onFreed = this.#freed;
    return this.#memoryOf(pool).room.enter(guest);
  }

  readonly #freed = (upstream: Upstream): void => {
    for (const [name, { room }] of this.#memories) {
      if (room.size === 0) continue;
      const pool = this.#pools.get(name);
      if (pool?.members.some((member) => member.upstream === upstream)) room.freed(upstream);
    }
  };

  #placesOf(pool: Pool): readonly Place[] {
    let places = this.#places.get(pool);
    if (!places) {
      places = pool.members.map((member) => new Place(member, this.#parts.now));
      this.#places.set(pool, places);
      this.#pools.set(pool.name, pool);
    }
    return places;
  }

  #memoryOf(pool: Pool): PoolMemory {
    let memory = this.#memories.get(pool.name);
    if (!memory) {
      const { now, waiting } = this.#parts;
      const room = new WaitingRoom<Upstream>({
        waitersMax: waiting.callsMax,
        waitMsMax: waiting.waitMsMax,
        now,
      });
      memory = { budget: new RetryBudget(now), room, demand: new Demand() };
      this.#memories.set(pool.name, memory);
    }
    return memory;
  }
}
