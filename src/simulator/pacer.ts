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

export interface Pacer {
  nowMs(): number;
  /** Calls `entry.run` at the first tick that is not before `atMs`. */
  schedule(entry: Paced, atMs: number): void;
  after(delayMs: number, run: () => void): Paced;
  cancel(entry: Paced): void;
  /** Stops time for everyone, until resumed. */
  pause(): void;
  resume(): void;
  stop(): void;
}

export function createPacer(now: () => number = () => performance.now()): Pacer {
  const wheel: Paced[][] = Array.from({ length: SLOTS }, () => []);
  let spare: Paced[] = [];
  let held = 0;
  let tick = 0;
  let timer: NodeJS.Timeout | undefined;
  let paused = false;

  const turn = () => {
    const nowMs = now();
    const target = Math.floor(nowMs / TICK_MS);
    // After a long stall every slot is looked at once.
    for (tick = Math.max(tick, target - SLOTS); tick < target; ) {
      tick++;
      visit(tick % SLOTS, target, nowMs);
    }
    if (held === 0) rest();
  };

  const visit = (index: number, target: number, nowMs: number) => {
    const entries = wheel[index];
    if (!entries || entries.length === 0) return;
    wheel[index] = spare;
    for (const entry of entries) {
      if (entry.waiting && entry.dueTick > target) {
        wheel[index]?.push(entry);
        continue;
      }
      held--;
      if (!entry.waiting) continue;
      entry.waiting = false;
      entry.run(nowMs);
    }
    entries.length = 0;
    spare = entries;
  };

  const rest = () => {
    clearInterval(timer);
    timer = undefined;
  };

  const wake = () => {
    if (timer || paused) return;
    tick = Math.max(tick, Math.floor(now() / TICK_MS));
    timer = setInterval(turn, TICK_MS);
  };

  const schedule = (entry: Paced, atMs: number) => {
    wake();
    entry.dueTick = Math.max(tick + 1, Math.ceil(atMs / TICK_MS));
    entry.waiting = true;
    held++;
    wheel[entry.dueTick % SLOTS]?.push(entry);
  };

  return {
    nowMs: now,
    schedule,
    after(delayMs, run) {
      const entry: Paced = { waiting: false, dueTick: 0, run };
      schedule(entry, now() + delayMs);
      return entry;
    },
    cancel(entry) {
      entry.waiting = false;
    },
    pause() {
      paused = true;
      rest();
    },
    resume() {
      paused = false;
      if (held > 0 && !timer) timer = setInterval(turn, TICK_MS);
    },
    stop() {
      paused = true;
      rest();
      for (const slot of wheel) slot.length = 0;
      held = 0;
    },
  };
}
