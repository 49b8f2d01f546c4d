import { Link } from './bounds/chain.ts';
import { DrainRate } from './bounds/drain-rate.ts';
import { Lane, type Standing } from './bounds/lane.ts';

/** A GPU server with a bound on what it has in flight. */
export interface Bounded {
  hasPlace(): boolean;
}

/** `displaced`: someone of higher priority has taken its chair. `expired`: its time was over. */
export type Shed = 'displaced' | 'expired';

/** A call that no server has a place for. Either `admit` or `shed` is called, once, unless it leaves before. */
export interface Guest<Server extends Bounded> {
  /** Higher goes first. One of few: it comes from the configuration. */
  readonly priority: number;
  readonly tenant: string;
  /** By the room's clock. */
  readonly deadlineMs: number;
  /**
   * The server has a place, and the guest is no longer in the room. It takes the place before it returns, or lets it
   * be: then the next one is asked.
   */
  admit(server: Server): void;
  shed(why: Shed, retryAfterMs: number): void;
}

export type Entry = { readonly kind: 'shed'; readonly retryAfterMs: number } | Waiting;

export interface Waiting {
  readonly kind: 'wait';
  /** The caller has gone. Nothing is called any more; a second time does nothing. */
  leave(): void;
}

export interface WaitingRoomOptions {
  readonly waitersMax: number;
  /** No one waits longer, whatever the deadline. */
  readonly waitMsMax: number;
  /** Milliseconds that never step back. */
  readonly now: () => number;
}

const RETRY_AFTER_MS_MIN = 1_000;
/** The official SDKs ignore more. */
const RETRY_AFTER_MS_MAX = 60_000;

/**
 * In front of a pool whose servers are all full: bounded in number and in time.
 *
 * A place that comes free goes to the highest priority, there to the tenants in turn, there to the first who came.
 * When all chairs are taken, a newcomer takes the chair of the one who came last among those of the lowest priority,
 * if that is below its own; else it is sent away at once.
 *
 * Places are not handed round as tokens, which could get lost with the one who holds them: the room asks the server
 * before each guest whether it has a place. So whatever a guest does with its place, the next one gets what is left.
 *
 * Nothing takes longer when more are waiting. Each waiter has a timer of its own: unlike those of all calls in flight,
 * they are made only when there is more work than the pool can do.
 */
export class WaitingRoom<Server extends Bounded> {
  readonly #options: WaitingRoomOptions;
  /** Highest priority first; a lane stays once it has been used. */
  readonly #lanes: Lane<Waiter<Server>>[] = [];
  readonly #drain = new DrainRate();
  #size = 0;
  #isFilling = false;
  /** Servers that got places while another one was being filled. */
  readonly #toFill: Server[] = [];

  constructor(options: WaitingRoomOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  enter(guest: Guest<Server>): Entry {
    const { now, waitersMax, waitMsMax } = this.#options;
    const nowMs = now();
    const waitMs = Math.min(guest.deadlineMs - nowMs, waitMsMax);
    const isFull = this.#size >= waitersMax;
    const displaced = isFull ? this.#lastBelow(guest.priority) : undefined;
    if (waitMs <= 0 || (isFull && !displaced)) {
      return { kind: 'shed', retryAfterMs: this.#retryAfterMs(nowMs) };
    }
    if (displaced) this.#remove(displaced, nowMs);
    const waiter = new Waiter(guest, nowMs + waitMs, this.#leaves);
    waiter.timer = setTimeout(this.#expire, Math.ceil(waitMs), waiter);
    this.#laneOf(guest.priority).add(waiter);
    this.#size += 1;
    if (this.#size === 1) this.#drain.start(nowMs);
    displaced?.guest.shed('displaced', this.#retryAfterMs(nowMs));
    return waiter;
  }

  /**
   * The server may have places: a call has ended there, it has come back, its bound was raised. Who enters meanwhile
   * is not asked, so that a guest who comes back at once cannot keep this going for ever.
   */
  freed(server: Server): void {
    this.#toFill.push(server);
    // A guest whose call ends before `admit` returns gets here: the outer call goes on, and the stack stays flat.
    if (this.#isFilling) return;
    this.#isFilling = true;
    try {
      let unasked = this.#size;
      for (let next = this.#toFill.pop(); next; next = this.#toFill.pop()) {
        for (; unasked > 0 && this.#size > 0 && next.hasPlace(); unasked -= 1) this.#callNext(next);
      }
    } finally {
      this.#isFilling = false;
    }
  }

  #callNext(server: Server): void {
    const waiter = this.#next();
    if (!waiter) return;
    const nowMs = this.#options.now();
    // Timers may be late, and who has no time left must not take a place from one who has.
    if (nowMs >= waiter.deadlineMs) return this.#expire(waiter);
    this.#drain.placeTaken(nowMs);
    this.#remove(waiter, nowMs);
    waiter.guest.admit(server);
  }

  readonly #expire = (waiter: Waiter<Server>): void => {
    const nowMs = this.#options.now();
    this.#remove(waiter, nowMs);
    waiter.guest.shed('expired', this.#retryAfterMs(nowMs));
  };

  readonly #leaves = (waiter: Waiter<Server>): void => this.#remove(waiter, this.#options.now());

  #remove(waiter: Waiter<Server>, nowMs: number): void {
    clearTimeout(waiter.timer);
    waiter.isHere = false;
    this.#laneOf(waiter.guest.priority).remove(waiter);
    this.#size -= 1;
    if (this.#size === 0) this.#drain.pause(nowMs);
  }

  #next(): Waiter<Server> | undefined {
    return this.#lanes.find((lane) => !lane.isEmpty)?.takeTurn();
  }

  #lastBelow(priority: number): Waiter<Server> | undefined {
    for (let at = this.#lanes.length - 1; at >= 0; at -= 1) {
      const lane = this.#lanes[at] as Lane<Waiter<Server>>;
      if (lane.priority >= priority) return undefined;
      if (lane.lastCome) return lane.lastCome;
    }
    return undefined;
  }

  #laneOf(priority: number): Lane<Waiter<Server>> {
    const known = this.#lanes.find((lane) => lane.priority === priority);
    if (known) return known;
    const lane = new Lane<Waiter<Server>>(priority);
    this.#lanes.push(lane);
    this.#lanes.sort((one, other) => other.priority - one.priority);
    return lane;
  }

  /** Until all who wait now have their place. */
  #retryAfterMs(nowMs: number): number {
    const drainedMs = Math.ceil(this.#drain.timeForMs(this.#size, nowMs));
    return Math.min(RETRY_AFTER_MS_MAX, Math.max(RETRY_AFTER_MS_MIN, drainedMs));
  }
}

class Waiter<Server extends Bounded> implements Waiting, Standing {
  readonly kind = 'wait';
  readonly guest: Guest<Server>;
  readonly deadlineMs: number;
  readonly inLine: Link<this> = new Link(this);
  readonly inLane: Link<this> = new Link(this);
  readonly #leaves: (waiter: Waiter<Server>) => void;
  timer: NodeJS.Timeout | undefined;
  isHere = true;

  constructor(guest: Guest<Server>, deadlineMs: number, leaves: (waiter: Waiter<Server>) => void) {
    this.guest = guest;
    this.deadlineMs = deadlineMs;
    this.#leaves = leaves;
  }

  get tenant(): string {
    return this.guest.tenant;
  }

  leave(): void {
    if (this.isHere) this.#leaves(this);
  }
}
