import { Link } from './bounds/chain.ts';
import { DrainRate } from './bounds/drain-rate.ts';
import { Lane, type Standing } from './bounds/lane.ts';

/** A GPU server with a bound on what it has in flight. */
export interface Bounded {
  hasPlace(): boolean;
}

/** `displaced`: someone of higher priority has taken its chair. `expired`: its time was over. */
export type Shed = 'displaced' | 'expired';

/** A call for which no server has a place. Exactly one of `admit` and `shed` is called, once, unless it leaves. */
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
 * Nothing takes longer when more are waiting.
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
    const waiter = new Waiter(guest, nowMs + waitMs, this.#laneOf(guest.priority), this.#leaves);
    waiter.timer = setTimeout(this.#expire, waitMs, waiter);
    waiter.lane.add(waiter);
    this.#size += 1;
    if (this.#size === 1) this.#drain.start(nowMs);
    displaced?.guest.shed('displaced', this.#retryAfterMs(nowMs));
    return waiter;
  }

  /**
   * The server may have places: a call has ended there, it has come back, its bound was raised. Those who enter
   * meanwhile are not looked at, so that a guest who comes back at once cannot keep this going for ever.
   */
  freed(server: Server): void {
    this.#toFill.push(server);
    // A guest whose call ends before `admit` returns gets here: the outer call goes on, and the stack stays flat.
    if (this.#isFilling) return;
    this.#isFilling = true;
    try {
      let asked = this.#size;
      for (let next = this.#toFill.pop(); next; next = this.#toFill.pop()) {
        while (asked > 0 && next.hasPlace() && this.#admitNext(next)) asked -= 1;
      }
    } finally {
      this.#isFilling = false;
    }
  }

  /** False: nobody waits. */
  #admitNext(server: Server): boolean {
    const waiter = this.#take();
    if (!waiter) return false;
    const nowMs = this.#options.now();
    clearTimeout(waiter.timer);
    // Timers may be late, and who has no time left must not take a place from one who has.
    if (nowMs >= waiter.deadlineMs) this.#left(nowMs);
    else this.#drain.placeTaken(nowMs), this.#left(nowMs);
    return true;
  }
}
