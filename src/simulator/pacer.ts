/**
 * Time for thousands of streams from one coarse timer: a wheel of slots, each slot the entries that fall due in
 * one tick (or a whole number of revolutions later). An entry that comes due late does all that it owes at once.
 * The timer runs only while something waits.
 */

const TICK_MS = 2;
const SLOTS = 1_024;

/** Anything that wants to be called at a time. One entry waits for one time only. */
export interface Paced {
  /** Set by the pacer; false: the entry is dropped when its slot comes round. */
  waiting: boolean;
  dueTick: number;
  run(nowMs: number): void;
}

export class Pacer {
  readonly nowMs: () => number;
  readonly #wheel: Paced[][] = Array.from({ length: SLOTS }, () => []);
  /** Takes the place of the slot that is being visited, so that entries can come back to it. */
  #spare: Paced[] = [];
  #held = 0;
  #tick = 0;
  #timer: NodeJS.Timeout | undefined;
  #paused = false;

  constructor(now: () => number = () => performance.now()) {
    this.nowMs = now;
  }

  /** Calls `entry.run` at the first tick that is not before `atMs`. */
  schedule(entry: Paced, atMs: number): void {
    if (!this.#timer && !this.#paused) {
      this.#tick = Math.max(this.#tick, Math.floor(this.nowMs() / TICK_MS));
      this.#start();
    }
    entry.dueTick = Math.max(this.#tick + 1, Math.ceil(atMs / TICK_MS));
    entry.waiting = true;
    this.#held++;
    this.#wheel[entry.dueTick % SLOTS]?.push(entry);
  }

  after(delayMs: number, run: () => void): Paced {
    const entry: Paced = { waiting: false, dueTick: 0, run };
    this.schedule(entry, this.nowMs() + delayMs);
    return entry;
  }

  cancel(entry: Paced): void {
    entry.waiting = false;
  }

  /** Stops time for everyone, until resumed. */
  pause(): void {
    this.#paused = true;
    this.#rest();
  }

  resume(): void {
    this.#paused = false;
    if (this.#held > 0 && !this.#timer) this.#start();
  }

  /** Forgets everyone. */
  stop(): void {
    this.pause();
    for (const slot of this.#wheel) slot.length = 0;
    this.#held = 0;
  }

  #start(): void {
    this.#timer = setInterval(() => this.#turn(), TICK_MS);
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #turn(): void {
    const nowMs = this.nowMs();
    const target = Math.floor(nowMs / TICK_MS);
    // After a long stall every slot is looked at once.
    this.#tick = Math.max(this.#tick, target - SLOTS);
    while (this.#tick < target) {
      this.#tick++;
      this.#visit(this.#tick % SLOTS, target, nowMs);
    }
    if (this.#held === 0) this.#rest();
  }

  #visit(index: number, target: number, nowMs: number): void {
    const entries = this.#wheel[index];
    if (!entries || entries.length === 0) return;
    const kept = this.#spare;
    this.#wheel[index] = kept;
    for (const entry of entries) {
      if (entry.waiting && entry.dueTick > target) {
        kept.push(entry);
        continue;
      }
      this.#held--;
      if (!entry.waiting) continue;
      entry.waiting = false;
      entry.run(nowMs);
    }
    entries.length = 0;
    this.#spare = entries;
  }
}
